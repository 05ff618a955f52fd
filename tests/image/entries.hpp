// Map entries that an order asks for, and how they are said: shared by cases and streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "guest/bpf/program.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/format.hpp"

namespace unibpf {

// [* [map, key]], as many as there may be.
struct WantedEntries {
    struct One {
        std::string_view map;
        cbor::Bytes key;
    };
    std::array<One, 160> all;
    std::size_t count = 0;
};

inline Status read_wanted(cbor::Reader& reader, WantedEntries& wanted) {
    wanted.count = TRY(reader.array());
    if (wanted.count > wanted.all.size()) return reader.error("too many entries are asked for", wanted.count);
    for (std::size_t i = 0; i < wanted.count; ++i) {
        if (TRY(reader.array()) != 2) return reader.error("an entry is asked for by map and key");
        wanted.all[i].map = TRY(reader.text());
        wanted.all[i].key = TRY(reader.bytes());
    }
    return done();
}

inline void put_hex(TextWriter& line, const std::uint8_t* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) line.hex(bytes[i], 2);
}

// After a space each: the value, `none` where there is none.
inline void put_values(TextWriter& line, const Program& program, const WantedEntries& wanted) {
    for (std::size_t i = 0; i < wanted.count; ++i) {
        const WantedEntries::One& one = wanted.all[i];
        Map* map = program.find_map(one.map);
        const bool fits = map != nullptr && map->key_size() == one.key.size();
        const std::uint8_t* value = fits ? map->lookup(one.key.data()) : nullptr;
        line.text(" ");
        if (value == nullptr) line.text("none");
        else put_hex(line, value, map->value_size());
    }
}

}  // namespace unibpf
