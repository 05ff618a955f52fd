// The program under analysis: the bundle's contents in the analyser's own form, and what the caller asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "services/verifier/native/program/instruction.hpp"

namespace unibpf::analyser {

struct Map {
    std::string name;
    std::uint32_t type = 0, key_bytes = 0, value_bytes = 0, max_entries = 0, flags = 0;
    std::vector<std::uint8_t> initial;  // global data; empty: zeroes or nothing
    std::vector<std::uint32_t> programs{};     // of a program array: the instructions where its functions begin
    std::shared_ptr<const Map> inner{};        // of a map of maps: what each of its maps is
    std::optional<std::uint32_t> lock{};       // offset of the value's bpf_spin_lock

    bool read_only() const { return (flags & abi::map_flag_rdonly_prog) != 0; }
    // Global data that nobody can change: loads may be folded.
    bool is_constant() const { return read_only() && max_entries == 1 && initial.size() == value_bytes; }
};

struct Program {
    std::string name;
    abi::Kind kind = abi::Kind::filter;
    std::vector<Insn> insns;
    std::vector<Map> maps;
    std::uint32_t outputs = 1;

    // What the values of map `index` are: a map of maps stands for the values of its maps.
    const Map& values_of(std::size_t index) const { return maps[index].inner ? *maps[index].inner : maps[index]; }
};

enum class Platform : std::uint8_t {
    guest,
    linux_xdp
};
// Where Linux attaches the program: to a driver, or to an entry of a devmap or cpumap.
enum class Hook : std::uint8_t {
    driver,
    devmap,
    cpumap
};

// Options that change what is accepted come first; the rest never does.
struct Options {
    Platform platform = Platform::guest;
    Hook hook = Hook::driver;
    bool termination = true;
    std::uint64_t budget = abi::default_budget;  // instructions that a guest gives one packet
    double max_seconds = 10;         // CPU time
    std::uint64_t max_mebibytes = 1024;
    std::size_t max_findings = 8;
    bool unrolling = true;           // false: of tests that want to see what is claimed of loops
    bool invariants = false;         // keep them for the report
    bool graph = false;              // draw the control-flow graph for the report
    bool certificate = false;        // write down what proves the verdict `safe`
};

struct Malformed {
    std::string message;
    std::size_t instruction = 0;
    bool has_instruction = false;
};

// Decodes bundle bytes (schemas/bundle.cddl) against the platform's tables.
std::variant<Program, Malformed> read_bundle(std::span<const std::uint8_t> bytes, Platform platform);
// What the guest's loader would refuse, by its own validation; nothing if it loads the bundle.
std::optional<Malformed> loader_objects(std::span<const std::uint8_t> bytes);

}  // namespace unibpf::analyser
