#include <algorithm>
#include <memory>

#include "guest/bpf/decode.hpp"
#include "services/verifier/native/program.hpp"

namespace unibpf::analyser {
namespace {

Map map_of(const BundleMap& in) {
    Map map{std::string{in.name}, in.type, in.key_size, in.value_size, in.max_entries, in.flags, {}};
    if (in.has_data) map.initial.assign(in.data.begin(), in.data.end());
    return map;
}

Malformed malformed(const Error& error) {
    return {std::string{error.text} + " (rule `" + error.rule + "`, got " + std::to_string(error.value) + ")"};
}

}  // namespace

std::optional<Malformed> loader_objects(std::span<const std::uint8_t> bytes) {
    const auto view = std::make_unique<BundleView>();
    ProgramShape shape;
    if (const Status status = decode_bundle(bytes, *view); !status) return malformed(status.error());
    if (const Status status = validate_program(*view, shape); !status) return malformed(status.error());
    return std::nullopt;
}

std::variant<Program, Malformed> read_bundle(std::span<const std::uint8_t> bytes) {
    const auto view = std::make_unique<BundleView>();
    if (const Status status = decode_bundle(bytes, *view); !status) {
        return malformed(status.error());
    }
    Program program;
    program.name = view->name;
    program.kind = view->kind;
    program.outputs = view->outputs;
    for (std::size_t i = 0; i < view->map_count; ++i) program.maps.push_back(map_of(view->maps[i]));
    std::vector<Instruction> slots(view->size());
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = view->instruction(i);
    if (auto fault = decode(slots, program.insns)) return Malformed{fault->message, fault->instruction, true};
    return program;
}

}  // namespace unibpf::analyser
