#include <algorithm>

#include "services/signer/native/input/cbor.hpp"
#include "services/signer/native/input/program.hpp"

namespace unibpf::certificate {
namespace {

std::uint32_t word(Cbor& in) { return static_cast<std::uint32_t>(in.uint(UINT32_MAX)); }

void set_type(Map& map, std::uint32_t number) {
    map.type = abi::find_map_type(number);
    if (map.type == nullptr) malformed("a map is of type " + std::to_string(number) + ", which guests do not offer");
}

std::shared_ptr<Map> inner_map(Cbor& in) {
    if (in.array() != 5) malformed("an inner map has other than five fields");
    auto map = std::make_shared<Map>();
    set_type(*map, word(in));
    map->key_bytes = word(in);
    map->value_bytes = word(in);
    map->entries = word(in);
    map->flags = word(in);
    if (map->type->holds != abi::Holds::values) malformed("a map of maps has maps of another kind");
    return map;
}

std::vector<std::uint32_t> targets(Cbor& in) {
    std::vector<std::uint32_t> result;
    for (std::size_t left = in.array(); left > 0; --left) {
        if (in.array() != 2) malformed("an initial entry is no pair");
        (void)word(in);
        result.push_back(word(in));
    }
    return result;
}

Map read_map(Cbor& in) {
    Map map;
    std::vector<std::uint32_t> first;
    in.each_key([&](unsigned key) {
        switch (key) {
            case 0:
            case 6: (void)in.text(); break;
            case 1: set_type(map, word(in)); break;
            case 2: map.key_bytes = word(in); break;
            case 3: map.value_bytes = word(in); break;
            case 4: map.entries = word(in); break;
            case 5: map.flags = word(in); break;
            case 7: {
                const auto data = in.bytes();
                map.data.assign(data.begin(), data.end());
                break;
            }
            case 8: first = targets(in); break;
            case 9: map.inner = inner_map(in); break;
            case 10: map.lock = word(in); break;
            default: malformed("a map has a key that bundles do not have");
        }
    });
    if (map.type == nullptr) malformed("a map has no type");
    if (map.type->holds == abi::Holds::programs) map.functions = std::move(first);
    if ((map.type->holds == abi::Holds::maps) != (map.inner != nullptr)) malformed("an inner map where none may be, or none where one must be");
    if (map.lock && (map.value_bytes < 4 || *map.lock > map.value_bytes - 4)) malformed("a lock lies outside its value");
    if (map.value_bytes > abi::max_value_bytes || map.key_bytes > abi::max_key_bytes) malformed("a key or value is too large");
    return map;
}

// A block begins where control comes from elsewhere, and after each instruction that ends one.
void find_blocks(Program& program) {
    const auto& insns = program.insns;
    program.leads.assign(insns.size() + 1, false);
    for (const std::uint32_t root : program.roots) program.leads[root] = true;
    for (std::size_t at = 0; at < insns.size(); ++at) {
        const Insn& insn = insns[at];
        const bool goes = insn.op == Op::jump || insn.op == Op::branch || insn.op == Op::call || insn.op == Op::function;
        if (goes) program.leads[insn.target] = true;
        const abi::HelperRow* row = insn.op == Op::helper ? abi::find_helper(static_cast<std::uint32_t>(insn.imm)) : nullptr;
        const bool leaves = row != nullptr && row->has(abi::calls_back | abi::tail_calls);
        if ((goes && insn.op != Op::function) || insn.op == Op::exit || leaves) program.leads[at + 1] = true;
    }
}

void find_starts(Program& program) {
    program.starts = program.roots;
    for (const Insn& insn : program.insns) {
        if (insn.op == Op::call || insn.op == Op::function) program.starts.push_back(insn.target);
    }
    std::sort(program.starts.begin(), program.starts.end());
    program.starts.erase(std::unique(program.starts.begin(), program.starts.end()), program.starts.end());
}

void find_roots(Program& program) {
    program.roots = {0};
    for (const Map& map : program.maps) program.roots.insert(program.roots.end(), map.functions.begin(), map.functions.end());
    std::sort(program.roots.begin(), program.roots.end());
    program.roots.erase(std::unique(program.roots.begin(), program.roots.end()), program.roots.end());
    for (const std::uint32_t root : program.roots) {
        if (root >= program.insns.size() || program.insns[root].op == Op::upper_half) malformed("a program array names no instruction");
    }
}

}  // namespace

Program read_program(std::span<const std::uint8_t> bundle) {
    Cbor in{bundle};
    Program program;
    std::span<const std::uint8_t> code;
    in.each_key([&](unsigned key) {
        switch (key) {
            case 2: program.kind = static_cast<abi::Kind>(in.uint(abi::kind_count - 1)); break;
            case 3: code = in.bytes(); break;
            case 4:
                for (std::size_t left = in.array(); left > 0; --left) program.maps.push_back(read_map(in));
                break;
            default: in.skip();
        }
    });
    if (!in.at_end()) malformed("bytes after the bundle");
    if (program.maps.size() > abi::max_maps) malformed("more maps than a program may have");
    program.insns = decode(code);
    find_roots(program);
    find_starts(program);
    find_blocks(program);
    return program;
}

std::uint64_t Program::length_of(std::uint32_t start) const {
    const auto next = std::upper_bound(starts.begin(), starts.end(), start);
    return (next == starts.end() ? insns.size() : *next) - start;
}

}  // namespace unibpf::certificate
