#include "guest/run/tables.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"

namespace unibpf::run {
namespace {

constexpr std::array<std::string_view, 4> index_names = {"array", "hash", "prefix", "none"};
constexpr std::array<std::string_view, 7> holds_names = {"values", "programs", "devices", "maps", "records", "events", "items"};

// A name of these tables needs no escapes.
std::string quoted(std::string_view text) { return "\"" + std::string{text} + "\""; }

std::string limits() {
    const std::pair<const char*, std::uint64_t> rows[] = {
        {"version", abi::version},
        {"max_bundle_bytes", abi::max_bundle_bytes},
        {"max_instructions", abi::max_instructions},
        {"max_subprograms", abi::max_subprograms},
        {"max_maps", abi::max_maps},
        {"frame_bytes", abi::frame_bytes},
        {"max_frames", abi::max_frames},
        {"max_stack_bytes", abi::max_stack_bytes},
        {"max_outputs", abi::max_outputs},
        {"map_flag_no_prealloc", abi::map_flag_no_prealloc},
        {"map_flag_rdonly_prog", abi::map_flag_rdonly_prog},
        {"map_flag_inner_map", abi::map_flag_inner_map},
    };
    std::string text;
    for (const auto& [name, value] : rows) text += (text.empty() ? "" : ",") + quoted(name) + ":" + std::to_string(value);
    return text;
}

std::string map_types() {
    std::string text;
    for (const auto& row : abi::map_types) {
        text += (text.empty() ? "\n" : ",\n") + quoted(row.name) + ":{\"number\":" + std::to_string(static_cast<std::uint32_t>(row.type)) +
                ",\"index\":" + quoted(index_names[static_cast<std::size_t>(row.index)]) +
                ",\"holds\":" + quoted(holds_names[static_cast<std::size_t>(row.holds)]) + "}";
    }
    return text;
}

std::string helpers() {
    std::string text;
    for (const auto& row : abi::helpers) {
        text += (text.empty() ? "\n" : ",\n") + quoted(row.name) + ":" + std::to_string(static_cast<std::uint32_t>(row.helper));
    }
    return text;
}

}  // namespace

std::string opcodes_json() {
    static constexpr const char* categories[] = {"alu", "move_sx", "endian", "load_imm64", "load", "load_sx", "store_imm",
                                                 "store", "atomic", "jump", "branch", "call_helper", "call_local", "exit"};
    static constexpr const char* groups[] = {"base32", "base64", "divmul32", "divmul64", "atomic32", "atomic64"};
    const auto field = [](const FieldRule& rule) { return rule.free ? std::string{"null"} : std::to_string(rule.value); };
    std::string text = "[";
    for (std::size_t i = 0; i < operation_count; ++i) {
        const Opcode& row = opcodes[i];
        text += std::string(text.size() > 1 ? ",\n" : "\n") + "{\"name\":" + quoted(operation_names[i]) + ",\"opcode\":" + std::to_string(row.opcode) +
                ",\"category\":\"" + categories[static_cast<int>(row.category)] + "\",\"group\":\"" + groups[static_cast<int>(row.group)] +
                "\",\"src_operand\":" + (row.src_operand ? "true" : "false") + ",\"dst\":" + field(row.dst) + ",\"src\":" + field(row.src) +
                ",\"offset\":" + field(row.offset) + ",\"imm\":" + field(row.imm) + "}";
    }
    return text + "\n]\n";
}

std::string tables_json() {
    return "{\"limits\":{" + limits() + "},\n\"map_types\":{" + map_types() + "},\n\"helpers\":{" + helpers() + "}}\n";
}

}  // namespace unibpf::run
