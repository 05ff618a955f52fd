// Program: one loaded program, ready to run: code with every address filled in, its maps, its limits. Immutable once loaded.
//
// Loaded code is an array of Instruction whose opcode byte holds the Operation instead (one table look-up a dispatch less),
// whose lddw rows hold real addresses, and whose calls hold positions, of a helper in abi::helpers or of a function in functions().
// Nothing else differs from the bundle.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/decode.hpp"
#include "guest/bpf/bundle/isa.hpp"
#include "guest/bpf/maps/map.hpp"
#include "guest/bpf/native.hpp"
#include "guest/bpf/bundle/validate.hpp"
#include "guest/core/heap.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

// `length` instructions from `start` on.
struct Function {
    std::uint32_t start, length;
};

// What a program holds that has loaded a function's address, and hands to helpers: one more than the number of the function's first
// instruction, because programs may test an address against null and no function is null (the analyser's state/addresses.hpp).
constexpr std::uint64_t function_value(std::uint64_t start) { return start + 1; }
constexpr std::uint64_t function_start(std::uint64_t value) { return value - 1; }

class Program {
  public:
    std::string_view name() const { return {name_, name_size_}; }
    abi::Kind kind() const { return kind_; }
    std::span<const Instruction> code() const { return code_.span(); }
    std::span<Instruction> code_to_prepare() { return code_.span(); }  // before the first run
    std::span<const Function> functions() const { return functions_.span(); }  // ascending; the first is the entry
    // The function that starts at this instruction, which one does.
    const Function& function_at(std::uint64_t start) const;
    std::span<const MapRef> maps() const { return {maps_.data(), map_count_}; }
    Map* find_map(std::string_view name) const;
    // Empty when the program is interpreted.
    const NativeCode& native() const { return native_; }
    void set_native(NativeCode&& native) { native_ = std::move(native); }  // before the first run

  private:
    friend class Loader;
    char name_[48] = {};
    std::uint8_t name_size_ = 0;
    abi::Kind kind_ = abi::Kind::filter;
    OwnedArray<Instruction> code_;
    OwnedArray<Function> functions_;
    std::array<MapRef, abi::max_maps> maps_;
    std::size_t map_count_ = 0;
    NativeCode native_;
};

struct MapReport {
    std::size_t count = 0;
    std::array<MapOutcome, abi::max_maps> maps{};
};

// Builds a program from a decoded and validated bundle, in two steps so that each can be timed. `running` may be null; its maps
// are shared, never changed. Nothing that runs is touched; what is built so far is released on error.
class Loader {
  public:
    // Maps that programs write get pages with `key` if it is not the guest's.
    explicit Loader(const BundleView& bundle, platform::PageKey key = platform::PageKey::guest) : bundle_{bundle}, key_{key} {}
    Status build_maps(const MapPlan& plan, const Program* running, MapReport& report);  // rules map-policy, memory, load
    Result<Owned<Program>> link(const ProgramShape& shape);                             // rules memory, load

  private:
    Status link_functions(const ProgramShape& shape);
    void link_helper(Instruction* in) const;
    void link_imm64(Instruction* in, std::size_t index, Operation operation) const;
    Status fill_maps();
    static Status fill_map_of_maps(Map& map, const InitialEntry& entry);
    Status build_map(std::size_t index, const MapPlan& plan, const Program* running, MapOutcome& outcome);

    Result<MapRef> create_map(const BundleMap& spec) const;

    const BundleView& bundle_;
    platform::PageKey key_;
    Owned<Program> program_;
};

}  // namespace unibpf
