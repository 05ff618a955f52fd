// Bundles for tests: a description with sound defaults, encoded by the guest's own CBOR writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf::test {

struct MapSpec {
    std::string name = "m";
    std::uint64_t type = 1, key = 4, value = 8, entries = 4, flags = 0;
    std::optional<std::string> layout{};
    std::optional<std::vector<std::uint8_t>> data{};
    std::optional<std::vector<std::vector<std::uint64_t>>> initial{};  // index and target; other lengths are defects
    std::optional<std::vector<std::uint64_t>> inner{};                 // type, key, value, entries, flags
    std::optional<std::uint64_t> lock{};
};

struct LineRow {
    std::uint64_t instruction, file, line, column;
};

struct BundleSpec {
    std::uint64_t format = 1;
    std::string name = "firewall";
    std::uint64_t kind = 2;
    std::vector<Instruction> code = {{0xb7, 0, 0, 0, 2}, {0x95, 0, 0, 0, 0}};  // r0 = XDP_PASS; exit
    std::vector<MapSpec> maps{};
    std::vector<std::uint64_t> helpers{};
    std::uint64_t outputs = 1, stack = 0;
    std::vector<std::string> files = {"firewall.c"};
    std::vector<LineRow> lines = {{0, 0, 1, 0}};
    std::uint64_t abi = 1;
};

inline void write_numbers(cbor::Writer& out, const std::vector<std::uint64_t>& numbers) {
    out.array(numbers.size());
    for (const auto number : numbers) out.uint(number);
}

inline void write_map(cbor::Writer& out, const MapSpec& map) {
    out.map(6 + map.layout.has_value() + map.data.has_value() + map.initial.has_value() + map.inner.has_value() + map.lock.has_value());
    out.uint(0), out.text(map.name);
    out.uint(1), out.uint(map.type);
    out.uint(2), out.uint(map.key);
    out.uint(3), out.uint(map.value);
    out.uint(4), out.uint(map.entries);
    out.uint(5), out.uint(map.flags);
    if (map.layout) out.uint(6), out.text(*map.layout);
    if (map.data) out.uint(7), out.bytes(*map.data);
    if (map.initial) {
        out.uint(8), out.array(map.initial->size());
        for (const auto& entry : *map.initial) write_numbers(out, entry);
    }
    if (map.inner) out.uint(9), write_numbers(out, *map.inner);
    if (map.lock) out.uint(10), out.uint(*map.lock);
}

inline std::vector<std::uint8_t> encode(const BundleSpec& spec) {
    std::vector<std::uint8_t> code(spec.code.size() * sizeof(Instruction));
    if (!code.empty()) std::memcpy(code.data(), spec.code.data(), code.size());
    std::vector<std::uint8_t> buffer(code.size() + (1 << 17));
    cbor::Writer out{buffer};
    out.map(10);
    out.uint(0), out.uint(spec.format);
    out.uint(1), out.text(spec.name);
    out.uint(2), out.uint(spec.kind);
    out.uint(3), out.bytes(code);
    out.uint(4), out.array(spec.maps.size());
    for (const auto& map : spec.maps) write_map(out, map);
    out.uint(5), out.array(spec.helpers.size());
    for (const auto helper : spec.helpers) out.uint(helper);
    out.uint(6), out.uint(spec.outputs);
    out.uint(7), out.uint(spec.stack);
    out.uint(8), out.array(2), out.array(spec.files.size());
    for (const auto& file : spec.files) out.text(file);
    out.array(spec.lines.size());
    for (const auto& row : spec.lines) out.array(4), out.uint(row.instruction), out.uint(row.file), out.uint(row.line), out.uint(row.column);
    out.uint(9), out.uint(spec.abi);
    buffer.resize(out.size());
    return buffer;
}

}  // namespace unibpf::test
