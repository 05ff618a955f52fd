// Program validation, header-only like decode.hpp: what must hold of any program before it may be analysed or loaded, without
// knowing values:
//   every slot decodes by the table of isa.hpp · jumps land in their own function and on an instruction · calls, function
//   addresses and entries of program arrays name instructions, where functions begin · no function falls off its end · r10 is
//   never written · helpers exist, are allowed for the kind and are declared · map references name a map, data offsets lie inside
//   its value.
// Errors: rule `instruction` and `helper` (value = instruction or helper number), `abi` and `limits` as in decode.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/decode.hpp"
#include "guest/bpf/bundle/isa.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

// Where functions begin, ascending; starts[0] = 0 is the entry program. A function ends where the next begins.
struct ProgramShape {
    std::size_t count = 0;
    std::array<std::uint32_t, abi::max_subprograms> starts{};
};

namespace detail {

class Validator {
  public:
    Validator(const BundleView& bundle, ProgramShape& shape) : bundle_{bundle}, shape_{shape} {}

    Status run() {
        shape_.count = 1;
        shape_.starts[0] = 0;
        for (std::size_t i = 0; i < bundle_.size(); i += slots_of(bundle_.instruction(i))) TRY(check_slot(i));
        TRY(check_program_arrays());
        if (called_ != bundle_.helper_count) return Error{"helper", "a declared helper is never called", called_};
        return check_functions();
    }

  private:
    // Opcode byte 0 exists only as the second slot of a 64-bit load, once every slot has been checked in order.
    static std::size_t slots_of(const Instruction& in) { return in.opcode == 0x18 ? 2 : 1; }
    static Error fault(const char* text, std::size_t index) { return Error{"instruction", text, index}; }

    Status check_slot(std::size_t index) {
        const Instruction in = bundle_.instruction(index);
        const Operation operation = find_operation(in);
        if (operation == Operation::count) return fault("instruction is not in the table of RFC 9669", index);
        const Opcode& row = describe(operation);
        if (in.dst >= register_count || in.src >= register_count) {
            const bool pseudo = row.category == Category::load_imm64 || row.category == Category::call_local;
            if (in.dst >= register_count || !pseudo) return fault("instruction names a register above r10", index);
        }
        if (row.writes_dst() && in.dst == frame_register) return fault("instruction writes r10", index);
        switch (row.category) {
            case Category::load_imm64: return check_load_imm64(index, row.immediate);
            case Category::atomic: return check_atomic(index, in, row.atomic);
            case Category::call_helper: return check_helper(index, static_cast<std::uint32_t>(in.imm));
            case Category::call_local: return add_function(index, static_cast<std::int64_t>(index) + 1 + in.imm);
            default: return done();
        }
    }

    Status check_load_imm64(std::size_t index, Immediate64 kind) {
        if (index + 1 >= bundle_.size()) return fault("64-bit load lacks its second slot", index);
        const Instruction first = bundle_.instruction(index);
        const Instruction second = bundle_.instruction(index + 1);
        if (second.opcode != 0 || second.dst != 0 || second.src != 0 || second.offset != 0) {
            return fault("second slot of a 64-bit load has fields that must be zero", index + 1);
        }
        if (kind == Immediate64::number) return done();
        if (kind == Immediate64::function) {
            TRY(add_function(index, static_cast<std::int64_t>(index) + 1 + first.imm));
            return second.imm == 0 ? done() : Status{fault("function address has an offset", index)};
        }
        if (static_cast<std::uint32_t>(first.imm) >= bundle_.map_count) return fault("64-bit load names no map", index);
        const BundleMap& map = bundle_.maps[static_cast<std::uint32_t>(first.imm)];
        if (kind == Immediate64::map) {
            return second.imm == 0 ? done() : Status{fault("map handle has an offset", index)};
        }
        if (!bundle_.tables->find_map_type(map.type)->array_like() || map.max_entries != 1) {
            return fault("map value address needs an array of one entry", index);
        }
        if (static_cast<std::uint32_t>(second.imm) >= map.value_size) return fault("map value address lies outside the value", index);
        return done();
    }

    // The fetching forms write src (cmpxchg writes r0).
    static Status check_atomic(std::size_t index, const Instruction& in, Atomic operation) {
        const bool writes_src = operation >= Atomic::fetch_add && operation <= Atomic::xchg;
        if (writes_src && in.src == frame_register) return fault("instruction writes r10", index);
        return done();
    }

    Status check_helper(std::size_t index, std::uint32_t number) {
        const abi::HelperRow* row = bundle_.tables->find_helper(number);
        if (row == nullptr) return Error{"helper", "helper is not offered", number};
        if ((row->kinds & abi::only(bundle_.kind)) == 0) return Error{"helper", "helper is not allowed for this kind of program", number};
        const auto* end = bundle_.helpers.begin() + bundle_.helper_count;
        const auto* found = std::lower_bound(bundle_.helpers.begin(), end, number);
        if (found == end || *found != number) return Error{"helper", "called helper is not declared", number};
        const auto position = static_cast<std::size_t>(found - bundle_.helpers.begin());
        if ((seen_ >> position & 1) == 0) ++called_;
        seen_ |= std::uint64_t{1} << position;
        static_assert(abi::max_helpers <= 64);
        return index < bundle_.size() ? done() : Status{fault("call lies outside the program", index)};
    }

    // A function that bpf_tail_call may go on in.
    Status check_program_arrays() {
        for (std::size_t i = 0; i < bundle_.map_count; ++i) {
            const BundleMap& map = bundle_.maps[i];
            if (map.has_inner) continue;
            TRY(each_entry(map, [&](const InitialEntry& entry) -> Status {
                if (entry.index >= map.max_entries) return Error{"abi", "initial entry lies outside its map", entry.index};
                if (entry.target >= bundle_.size()) return Error{"abi", "initial entry names no instruction", entry.target};
                return add_function(entry.target, entry.target);
            }));
        }
        return done();
    }

    // `index`: the instruction that names the function.
    Status add_function(std::size_t index, std::int64_t target) {
        if (!is_instruction(target)) return fault("function begins at no instruction", index);
        auto* begin = shape_.starts.begin();
        auto* end = begin + shape_.count;
        auto* place = std::lower_bound(begin, end, static_cast<std::uint32_t>(target));
        if (place != end && *place == target) return done();
        if (shape_.count == abi::max_subprograms) return Error{"limits", "too many subprograms", shape_.count};
        std::copy_backward(place, end, end + 1);
        *place = static_cast<std::uint32_t>(target);
        ++shape_.count;
        return done();
    }

    // Inside the program and not the second slot of a 64-bit load.
    bool is_instruction(std::int64_t index) const {
        return index >= 0 && index < static_cast<std::int64_t>(bundle_.size()) &&
               bundle_.instruction(static_cast<std::size_t>(index)).opcode != 0;
    }

    Status check_functions() const {
        for (std::size_t f = 0; f < shape_.count; ++f) {
            const std::size_t start = shape_.starts[f];
            const std::size_t end = f + 1 < shape_.count ? shape_.starts[f + 1] : bundle_.size();
            std::size_t last = start;
            for (std::size_t i = start; i < end; i += slots_of(bundle_.instruction(i))) {
                TRY(check_jump(i, start, end));
                last = i;
            }
            const Category category = describe(find_operation(bundle_.instruction(last))).category;
            if (category != Category::exit && category != Category::jump) return fault("function can run past its end", last);
        }
        return done();
    }

    Status check_jump(std::size_t index, std::size_t start, std::size_t end) const {
        const Instruction in = bundle_.instruction(index);
        const Operation operation = find_operation(in);
        const Category category = describe(operation).category;
        if (category != Category::jump && category != Category::branch) return done();
        const std::int64_t distance = operation == Operation::op_gotol ? in.imm : in.offset;
        const std::int64_t target = static_cast<std::int64_t>(index) + 1 + distance;
        if (target < static_cast<std::int64_t>(start) || target >= static_cast<std::int64_t>(end)) {
            return fault("jump leaves its function", index);
        }
        return is_instruction(target) ? done() : Status{fault("jump goes into the middle of a 64-bit load", index)};
    }

    const BundleView& bundle_;
    ProgramShape& shape_;
    std::uint64_t seen_ = 0;     // bit i: helpers[i] is called
    std::size_t called_ = 0;
};

}  // namespace detail

// `shape` is overwritten; on error its contents mean nothing.
inline Status validate_program(const BundleView& bundle, ProgramShape& shape) { return detail::Validator{bundle, shape}.run(); }

}  // namespace unibpf
