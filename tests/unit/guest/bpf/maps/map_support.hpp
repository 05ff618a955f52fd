// What the tests of maps share: specs, maps, and keys and values as bytes.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "guest/bpf/maps/map.hpp"

namespace unibpf::test {

inline BundleMap spec_of(abi::MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries) {
    BundleMap spec;
    spec.name = "table";
    spec.type = static_cast<std::uint32_t>(type);
    spec.key_size = key;
    spec.value_size = value;
    spec.max_entries = entries;
    return spec;
}

inline MapRef map_of(abi::MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries) {
    return Map::create(spec_of(type, key, value, entries)).value();
}

inline const std::uint8_t* bytes(const auto& value) { return reinterpret_cast<const std::uint8_t*>(&value); }

using Text = std::string;  // bytes that can be compared

inline Text text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// All entries, as bytes.
inline std::map<Text, Text> contents(const Map& map) {
    std::map<Text, Text> entries;
    std::vector<std::uint8_t> key(map.key_size() + 1), value(map.value_size() + 1);
    std::uint32_t cursor = 0;
    do {
        const ScanStep step = map.scan(cursor, key.data(), value.data());
        if (step.found) entries[text_of(key.data(), map.key_size())] = text_of(value.data(), map.value_size());
        cursor = step.next;
    } while (cursor != 0);
    return entries;
}

}  // namespace unibpf::test
