#include <algorithm>
#include <memory>

#include "guest/bpf/bundle/decode.hpp"
#include "guest/bpf/bundle/validate.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

Map map_of(const BundleMap& in, const abi::Tables& tables) {
    Map map{std::string{in.name}, in.type, in.key_size, in.value_size, in.max_entries, in.flags, {}};
    if (in.has_data) map.initial.assign(in.data.begin(), in.data.end());
    if (in.has_lock) map.lock = in.lock;
    if (in.has_inner) {
        const InnerMap& inner = in.inner;
        map.inner = std::make_shared<const Map>(Map{map.name, inner.type, inner.key_size, inner.value_size, inner.max_entries, inner.flags, {}});
    }
    if (tables.find_map_type(in.type)->holds == abi::Holds::programs) {
        const auto read = each_entry(in, [&](const InitialEntry& entry) -> Status {
            map.programs.push_back(entry.target);
            return done();
        });
        (void)read;  // checked when it was decoded
    }
    return map;
}

// Entries of program arrays name instructions; the guest's validation comes later and for guests only.
std::optional<Malformed> check_entries(const Program& program) {
    for (const Map& map : program.maps) {
        for (const std::uint32_t target : map.programs) {
            if (target < program.insns.size() && !std::holds_alternative<SecondSlot>(program.insns[target])) continue;
            return Malformed{"map `" + map.name + "` names a function that begins at no instruction", target, true};
        }
    }
    return std::nullopt;
}

// Linux makes no trie whose entries are allocated in advance (trie_alloc, kernel/bpf/lpm_trie.c); guests' are, and take both.
std::optional<Malformed> check_creatable(const Program& program) {
    for (const Map& map : program.maps) {
        const Map& made = map.inner ? *map.inner : map;
        const bool is_trie = made.type == static_cast<std::uint32_t>(abi::MapType::lpm_trie);
        if (is_trie && (made.flags & abi::map_flag_no_prealloc) == 0) return Malformed{"map `" + map.name + "`: Linux creates an lpm_trie with `BPF_F_NO_PREALLOC` only"};
    }
    return std::nullopt;
}

Malformed malformed(const Error& error) {
    return {std::string{error.text} + " (rule `" + error.rule + "`, got " + std::to_string(error.value) + ")"};
}

// Of a bundle that does not decode: also the map that was being read, by its name.
Malformed malformed(const Error& error, const BundleView& view) {
    Malformed found = malformed(error);
    const bool in_a_map = view.map_count < view.maps.size() && is_map_name(view.maps[view.map_count].name);
    if (in_a_map) found.message = "map `" + std::string{view.maps[view.map_count].name} + "`: " + found.message;
    return found;
}

}  // namespace

std::optional<Malformed> loader_objects(std::span<const std::uint8_t> bytes) {
    const auto view = std::make_unique<BundleView>();
    ProgramShape shape;
    if (const Status status = decode_bundle(bytes, *view); !status) return malformed(status.error(), *view);
    if (const Status status = validate_program(*view, shape); !status) return malformed(status.error());
    return std::nullopt;
}

std::variant<Program, Malformed> read_bundle(std::span<const std::uint8_t> bytes, Platform platform) {
    const auto view = std::make_unique<BundleView>();
    const abi::Tables& tables = tables_of(platform);
    if (const Status status = decode_bundle(bytes, *view, tables); !status) return malformed(status.error(), *view);
    Program program;
    program.name = view->name;
    program.kind = view->kind;
    program.outputs = view->outputs;
    for (std::size_t i = 0; i < view->map_count; ++i) program.maps.push_back(map_of(view->maps[i], tables));
    std::vector<Instruction> slots(view->size());
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = view->instruction(i);
    if (auto fault = decode(slots, program.insns)) return Malformed{fault->message, fault->instruction, true};
    if (auto fault = check_entries(program)) return *std::move(fault);
    if (platform == Platform::linux_xdp) {
        if (auto fault = check_creatable(program)) return *std::move(fault);
    }
    return program;
}

}  // namespace unibpf::analyser
