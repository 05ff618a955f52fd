// What a generated program is wrapped in, and the packets that it is run on.
#include <iterator>
#include <set>

#include "guest/core/cbor.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {
namespace {

struct MapSpec {
    const char* name;
    abi::MapType type;
    unsigned key, value, entries, flags = 0;
    int inner = -1;       // of a map of maps: the map that its maps are like, and its first entry
    int lock = -1;
    const char* data = nullptr;
};

using T = abi::MapType;
constexpr MapSpec maps[] = {
    {"hash", T::hash, 4, 16, 4},
    {"array", T::array, 4, 64, 4},
    {"ring", T::ringbuf, 0, 0, 4096},
    {"jumps", T::prog_array, 4, 4, 2},
    {"routes", T::lpm_trie, 8, 16, 8, abi::map_flag_no_prealloc},
    {"outer", T::array_of_maps, 4, 4, 2, 0, static_cast<int>(Map::inner)},
    {"inner", T::array, 4, 32, 3},
    {"locked", T::array, 4, 16, 1, 0, -1, 0},
    {"text", T::array, 4, 16, 1, abi::map_flag_rdonly_prog, -1, -1, "%d unibpf %x %u"},
    {"data", T::array, 4, 64, 1},
    {"ports", T::devmap, 4, 4, 2},
    {"lru", T::lru_hash, 4, 24, 3},
    {"percpu", T::percpu_array, 4, 16, 2},
    {"events", T::perf_event_array, 4, 4, 1},
    {"percpu_hash", T::percpu_hash, 4, 16, 3},
    {"lru_percpu", T::lru_percpu_hash, 4, 16, 3},
    {"port_names", T::devmap_hash, 4, 4, 2},
    {"outer_hash", T::hash_of_maps, 4, 4, 2, 0, static_cast<int>(Map::inner)},
};
static_assert(std::size(maps) == static_cast<std::size_t>(Map::count));

void write_entry(cbor::Writer& writer, unsigned target) {
    writer.uint(8), writer.array(1), writer.array(2), writer.uint(0), writer.uint(target);
}

void write_map(cbor::Writer& writer, const MapSpec& map, std::uint32_t tail) {
    const bool has_tail = map.type == T::prog_array && tail != 0;
    writer.map(6 + (map.data != nullptr) + has_tail + 2 * (map.inner >= 0) + (map.lock >= 0));
    writer.uint(0), writer.text(map.name);
    writer.uint(1), writer.uint(static_cast<unsigned>(map.type));
    writer.uint(2), writer.uint(map.key);
    writer.uint(3), writer.uint(map.value);
    writer.uint(4), writer.uint(map.entries);
    writer.uint(5), writer.uint(map.flags);
    if (map.data != nullptr) writer.uint(7), writer.bytes({reinterpret_cast<const std::uint8_t*>(map.data), map.value});
    if (has_tail) write_entry(writer, tail);
    if (map.inner >= 0) {
        const MapSpec& inner = maps[map.inner];
        write_entry(writer, static_cast<unsigned>(map.inner));
        writer.uint(9), writer.array(5);
        for (const unsigned field : {static_cast<unsigned>(inner.type), inner.key, inner.value, inner.entries, inner.flags}) writer.uint(field);
    }
    if (map.lock >= 0) writer.uint(10), writer.uint(static_cast<unsigned>(map.lock));
}

}  // namespace

Bytes ProgramGenerator::bundle(const std::vector<Instruction>& code, std::uint32_t tail) {
    Bytes out(code.size() * 8 + 4096);
    cbor::Writer writer{out};
    std::set<std::uint32_t> helpers;
    for (std::size_t i = 0; i < code.size(); i += slots_of(code[i])) {
        if (find_operation(code[i]) == Operation::op_call_helper) helpers.insert(static_cast<std::uint32_t>(code[i].imm));
    }
    writer.map(10);
    writer.uint(0), writer.uint(1);
    writer.uint(1), writer.text("random");
    writer.uint(2), writer.uint(static_cast<unsigned>(abi::Kind::rewriter));
    // byte view of trivially copyable slots
    writer.uint(3), writer.bytes({reinterpret_cast<const std::uint8_t*>(code.data()), code.size() * sizeof(Instruction)});
    writer.uint(4), writer.array(std::size(maps));
    for (const MapSpec& map : maps) write_map(writer, map, tail);
    writer.uint(5), writer.array(helpers.size());
    for (const std::uint32_t number : helpers) writer.uint(number);
    writer.uint(6), writer.uint(1);
    writer.uint(7), writer.uint(512);
    writer.uint(8), writer.array(2), writer.array(0), writer.array(0);
    writer.uint(9), writer.uint(1);
    out.resize(writer.size());
    return out;
}

std::string_view ProgramGenerator::type_of_map(unsigned index) { return abi::find_map_type(static_cast<std::uint32_t>(maps[index].type))->name; }

Bytes ProgramGenerator::packet() {
    static constexpr std::uint64_t sizes[] = {14, 15, 20, 34, 42, 54, 60, 64, 128, 1500};
    Bytes bytes(chance(70) ? 14 + below(90) : sizes[below(std::size(sizes))]);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(chance(30) ? below(3) * 127 : random_());
    return bytes;
}

}  // namespace unibpf::soundness
