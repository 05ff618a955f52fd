// Bundle decoding, header-only: the guest and the analyser read the same bytes the same way.
//
// bytes -> BundleView (schemas/bundle.cddl; views into the bytes, nothing copied); accepts exactly one encoding of every bundle
// (cbor.hpp), so decoding is the re-encode-and-compare of the host. What the instructions are is validate.hpp's question.
// Errors: rule `abi` (form), `limits` (counts and sizes).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

// What every map inside a map of maps must be.
struct InnerMap {
    std::uint32_t type = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
    std::uint32_t max_entries = 0;
    std::uint32_t flags = 0;
};

// An entry that a map starts with: of a program array, the instruction where a function begins; of a map of maps, a map's index.
struct InitialEntry {
    std::uint32_t index = 0;
    std::uint32_t target = 0;
};

struct BundleMap {
    std::string_view name;
    std::uint32_t type = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
    std::uint32_t max_entries = 0;
    std::uint32_t flags = 0;
    bool has_layout = false;
    std::string_view layout;
    bool has_data = false;
    std::span<const std::uint8_t> data;
    std::span<const std::uint8_t> entries;  // one CBOR item, checked; empty: none. Read with each_entry.
    bool has_inner = false;
    InnerMap inner;
    bool has_lock = false;
    std::uint32_t lock = 0;  // offset of the value's struct bpf_spin_lock
};

// Views into the bundle's bytes, which must outlive it. About 7 KiB: keep it off small stacks.
struct BundleView {
    std::string_view name;
    abi::Kind kind = abi::Kind::filter;
    std::span<const std::uint8_t> code;  // 8 bytes a slot, any alignment
    std::size_t map_count = 0;
    std::array<BundleMap, abi::max_maps> maps{};
    std::size_t helper_count = 0;
    std::array<std::uint32_t, abi::max_helpers> helpers{};
    std::uint32_t outputs = 1;
    std::uint32_t stack_bytes = 0;
    std::span<const std::uint8_t> line_info;  // one CBOR item, checked
    const abi::Tables* tables = &abi::guest_tables;  // what it was decoded against

    std::size_t size() const { return code.size() / sizeof(Instruction); }
    Instruction instruction(std::size_t index) const {
        Instruction result;
        std::memcpy(&result, code.data() + index * sizeof result, sizeof result);
        return result;
    }
    // The 64-bit immediate of the two-slot load at index.
    std::uint64_t imm64(std::size_t index) const {
        return static_cast<std::uint32_t>(instruction(index).imm) |
               std::uint64_t{static_cast<std::uint32_t>(instruction(index + 1).imm)} << 32;
    }
};

// --- names ------------------------------------------------------------------------------------------------------------

// [a-z0-9][a-z0-9_-]{0,47}
inline bool is_program_name(std::string_view name) {
    if (name.empty() || name.size() > 48 || name[0] == '_' || name[0] == '-') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

// [A-Za-z0-9_.]{1,63}
inline bool is_map_name(std::string_view name) {
    if (name.empty() || name.size() > 63) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
}

namespace detail {

inline Result<std::uint32_t> number_in(cbor::Reader& in, std::uint64_t low, std::uint64_t high, const char* rule, const char* text) {
    const std::uint64_t value = TRY(in.uint());
    if (value < low || value > high) return Error{rule, text, value};
    return static_cast<std::uint32_t>(value);
}

// --- maps -------------------------------------------------------------------------------------------------------------

inline bool is_global_data(std::string_view name) {
    return name.starts_with(".rodata") || name.starts_with(".data") || name.starts_with(".bss");
}

inline Status check_sizes(const BundleMap& map, const abi::MapTypeRow& row, const abi::Tables& tables) {
    if (!row.key.holds(map.key_size)) return Error{"limits", "map key size is out of range", map.key_size};
    if (!row.value.holds(map.value_size)) return Error{"limits", "map value size is out of range", map.value_size};
    if (row.holds == abi::Holds::records) {
        const bool pages = map.max_entries % abi::ring_page_bytes == 0 && std::has_single_bit(map.max_entries);
        if (!pages) return Error{"abi", "a ring buffer's size must be a power of two and a multiple of 4096", map.max_entries};
        return map.max_entries <= tables.most_map_bytes ? done() : Status{Error{"limits", "map takes too much memory", map.max_entries}};
    }
    if (map.max_entries == 0 || map.max_entries > tables.most_entries) return Error{"limits", "map entries are out of range", map.max_entries};
    const std::uint64_t bytes = std::uint64_t{map.max_entries} * (map.key_size + std::uint64_t{map.value_size} + 32);
    return bytes <= tables.most_map_bytes ? done() : Status{Error{"limits", "map takes too much memory", bytes}};
}

inline Status check_inner(const BundleMap& map, const abi::Tables& tables) {
    const abi::MapTypeRow* row = tables.find_map_type(map.inner.type);
    if (row == nullptr) return Error{"abi", "type of the inner map is not offered", map.inner.type};
    if (row->holds != abi::Holds::values) return Error{"abi", "inner maps must hold values", map.inner.type};
    BundleMap inner;
    inner.key_size = map.inner.key_size;
    inner.value_size = map.inner.value_size;
    inner.max_entries = map.inner.max_entries;
    if ((map.inner.flags & ~row->allowed_flags) != 0) return Error{"abi", "inner map flags are not offered for this map type", map.inner.flags};
    return check_sizes(inner, *row, tables);
}

inline Status check_map(const BundleMap& map, const abi::Tables& tables) {
    const abi::MapTypeRow* row = tables.find_map_type(map.type);
    if (row == nullptr) return Error{"abi", "map type is not offered", map.type};
    if (!is_map_name(map.name)) return Error{"abi", "map name must match [A-Za-z0-9_.]{1,63}"};
    if ((map.flags & ~row->allowed_flags) != 0) return Error{"abi", "map flags are not offered for this map type", map.flags};
    TRY(check_sizes(map, *row, tables));
    const bool global = row->array_like() && map.max_entries == 1;
    if (is_global_data(map.name) && !global) return Error{"abi", "global data must be an array of one entry"};
    if (map.has_data && (!global || map.data.size() != map.value_size)) {
        return Error{"abi", "initial data must fill the only value of an array", map.data.size()};
    }
    const bool refers = row->holds == abi::Holds::programs || row->holds == abi::Holds::maps;
    if (!map.entries.empty() && !refers) return Error{"abi", "only maps of programs and maps have initial entries"};
    if (map.has_inner != (row->holds == abi::Holds::maps)) return Error{"abi", "maps of maps, and no others, say what their maps are"};
    if (map.has_inner) TRY(check_inner(map, tables));
    if (map.has_lock && (row->holds != abi::Holds::values || map.lock % 4 != 0 || map.lock + std::uint64_t{4} > map.value_size)) {
        return Error{"abi", "a lock must be 4 aligned bytes inside the value", map.lock};
    }
    return done();
}

inline Result<InitialEntry> read_entry(cbor::Reader& in) {
    if (TRY(in.array()) != 2) return Error{"abi", "an initial entry must have two fields"};
    InitialEntry entry;
    entry.index = TRY(number_in(in, 0, UINT32_MAX, "abi", "index of an initial entry exceeds 32 bits"));
    entry.target = TRY(number_in(in, 0, UINT32_MAX, "abi", "target of an initial entry exceeds 32 bits"));
    return entry;
}

// Ascending by index; that indices lie below max_entries and targets exist is checked once all of the bundle is read.
inline Status read_entries(cbor::Reader& in, std::span<const std::uint8_t> bytes, BundleMap& map) {
    const std::size_t start = in.position();
    const std::uint64_t count = TRY(in.array());
    if (count == 0) return Error{"abi", "an empty list of initial entries must be left out"};
    std::int64_t last = -1;
    for (std::uint64_t i = 0; i < count; ++i) {
        const InitialEntry entry = TRY(read_entry(in));
        if (entry.index <= last) return Error{"abi", "initial entries are not ascending", entry.index};
        last = entry.index;
    }
    map.entries = bytes.subspan(start, in.position() - start);
    return done();
}

inline Status read_inner(cbor::Reader& in, InnerMap& inner) {
    if (TRY(in.array()) != 5) return Error{"abi", "an inner map must have five fields"};
    for (std::uint32_t* field : {&inner.type, &inner.key_size, &inner.value_size, &inner.max_entries, &inner.flags}) {
        *field = TRY(number_in(in, 0, UINT32_MAX, "abi", "map field exceeds 32 bits"));
    }
    return done();
}

inline Status read_map(cbor::Reader& in, std::span<const std::uint8_t> bytes, BundleMap& map, const abi::Tables& tables) {
    auto fields = TRY(cbor::MapReader::open(in));
    constexpr auto any = [](cbor::Reader& reader) { return number_in(reader, 0, UINT32_MAX, "abi", "map field exceeds 32 bits"); };
    while (const auto key = TRY(fields.next())) {
        switch (*key) {
            case 0: map.name = TRY(in.text()); break;
            case 1: map.type = TRY(any(in)); break;
            case 2: map.key_size = TRY(any(in)); break;
            case 3: map.value_size = TRY(any(in)); break;
            case 4: map.max_entries = TRY(any(in)); break;
            case 5: map.flags = TRY(any(in)); break;
            case 6:
                map.layout = TRY(in.text());
                map.has_layout = true;
                break;
            case 7:
                map.data = TRY(in.bytes());
                map.has_data = true;
                break;
            case 8: TRY(read_entries(in, bytes, map)); break;
            case 9:
                TRY(read_inner(in, map.inner));
                map.has_inner = true;
                break;
            case 10:
                map.lock = TRY(any(in));
                map.has_lock = true;
                break;
            default: return fields.unknown(*key);
        }
    }
    TRY(fields.require(0b111111));
    return check_map(map, tables);
}

inline Status read_maps(cbor::Reader& in, std::span<const std::uint8_t> bytes, BundleView& bundle) {
    const std::uint64_t count = TRY(in.array());
    if (count > abi::max_maps) return Error{"limits", "too many maps", count};
    for (; bundle.map_count < count; ++bundle.map_count) {
        BundleMap& map = bundle.maps[bundle.map_count];
        map = {};
        TRY(read_map(in, bytes, map, *bundle.tables));
        for (std::size_t i = 0; i < bundle.map_count; ++i) {
            if (bundle.maps[i].name == map.name) return Error{"abi", "two maps have the same name", bundle.map_count};
        }
    }
    return done();
}

// --- the other lists --------------------------------------------------------------------------------------------------

inline Status read_helpers(cbor::Reader& in, BundleView& bundle) {
    const std::uint64_t count = TRY(in.array());
    if (count > abi::max_helpers) return Error{"limits", "too many helpers", count};
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t number = TRY(number_in(in, 0, UINT32_MAX, "abi", "helper number exceeds 32 bits"));
        if (i > 0 && number <= bundle.helpers[i - 1]) return Error{"abi", "helpers are not ascending", number};
        bundle.helpers[i] = number;
    }
    bundle.helper_count = count;
    return done();
}

inline Status read_line_row(cbor::Reader& in, std::uint64_t files, std::int64_t& last) {
    if (TRY(in.array()) != 4) return Error{"abi", "a line row must have four fields"};
    const std::uint32_t instruction = TRY(number_in(in, 0, abi::max_instructions, "abi", "line row names no instruction"));
    if (instruction <= last) return Error{"abi", "line rows are not ascending", instruction};
    last = instruction;
    if (TRY(in.uint()) >= files) return Error{"abi", "line row names no file", instruction};
    TRY(number_in(in, 0, UINT32_MAX, "abi", "line number exceeds 32 bits"));
    TRY(number_in(in, 0, UINT32_MAX, "abi", "column number exceeds 32 bits"));
    return done();
}

inline Status read_line_info(cbor::Reader& in, std::span<const std::uint8_t> bytes, BundleView& bundle) {
    const std::size_t start = in.position();
    if (TRY(in.array()) != 2) return Error{"abi", "line info must have two fields"};
    const std::uint64_t files = TRY(in.array());
    if (files > abi::max_line_files) return Error{"limits", "too many files in line info", files};
    for (std::uint64_t i = 0; i < files; ++i) TRY(in.text());
    const std::uint64_t rows = TRY(in.array());
    if (rows > abi::max_line_rows) return Error{"limits", "too many line rows", rows};
    std::int64_t last = -1;
    for (std::uint64_t i = 0; i < rows; ++i) TRY(read_line_row(in, files, last));
    bundle.line_info = bytes.subspan(start, in.position() - start);
    return done();
}

inline Status read_code(cbor::Reader& in, BundleView& bundle) {
    bundle.code = TRY(in.bytes());
    if (bundle.code.empty() || bundle.code.size() % sizeof(Instruction) != 0) {
        return Error{"abi", "instructions must be a positive multiple of 8 bytes", bundle.code.size()};
    }
    if (bundle.size() > abi::max_instructions) return Error{"limits", "too many instructions", bundle.size()};
    return done();
}

inline Status read_bundle_field(cbor::Reader& in, unsigned key, std::span<const std::uint8_t> bytes, BundleView& bundle) {
    switch (key) {
        case 0: TRY(number_in(in, 1, 1, "abi", "bundle format version is not 1")); break;
        case 1:
            bundle.name = TRY(in.text());
            if (!is_program_name(bundle.name)) return Error{"abi", "program name must match [a-z0-9][a-z0-9_-]{0,47}"};
            break;
        case 2: bundle.kind = static_cast<abi::Kind>(TRY(number_in(in, 0, abi::kind_count - 1, "abi", "program kind is unknown"))); break;
        case 3: TRY(read_code(in, bundle)); break;
        case 4: TRY(read_maps(in, bytes, bundle)); break;
        case 5: TRY(read_helpers(in, bundle)); break;
        case 6: bundle.outputs = TRY(number_in(in, 1, abi::max_outputs, "limits", "number of outputs is out of range")); break;
        case 7: bundle.stack_bytes = TRY(number_in(in, 0, abi::max_stack_bytes, "limits", "stack need is out of range")); break;
        case 8: TRY(read_line_info(in, bytes, bundle)); break;
        case 9: TRY(number_in(in, abi::version, abi::version, "abi", "program interface version is not 1")); break;
        default: return Error{"abi", "bundle has an unknown key", key};
    }
    return done();
}

}  // namespace detail

// Calls visit(InitialEntry) -> Status for each initial entry of a decoded map.
template <typename F>
Status each_entry(const BundleMap& map, F&& visit) {
    if (map.entries.empty()) return done();
    cbor::Reader in{map.entries, "abi"};
    const std::uint64_t count = TRY(in.array());
    for (std::uint64_t i = 0; i < count; ++i) TRY(visit(TRY(detail::read_entry(in))));
    return done();
}

namespace detail {

// May a map of maps with entries like `inner` hold `map`? As Linux' bpf_map_meta_equal: a hash may have another length, an array only
// if it says so.
inline bool fits_inner(const BundleMap& map, const InnerMap& inner, const abi::MapTypeRow& row) {
    const bool same_length = map.max_entries == inner.max_entries;
    const bool any_length = row.index != abi::Index::array || (inner.flags & abi::map_flag_inner_map) != 0;
    return map.type == inner.type && map.key_size == inner.key_size && map.value_size == inner.value_size && map.flags == inner.flags &&
           (same_length || any_length);
}

// Entries of maps of maps name maps of the bundle; those of program arrays are the validator's.
inline Status check_inner_maps(const BundleView& bundle) {
    for (std::size_t i = 0; i < bundle.map_count; ++i) {
        const BundleMap& outer = bundle.maps[i];
        if (!outer.has_inner) continue;
        TRY(each_entry(outer, [&](const InitialEntry& entry) -> Status {
            if (entry.index >= outer.max_entries) return Error{"abi", "initial entry lies outside its map", entry.index};
            if (entry.target >= bundle.map_count) return Error{"abi", "initial entry names no map", entry.target};
            const BundleMap& map = bundle.maps[entry.target];
            if (map.has_lock) return Error{"abi", "a map of maps does not hold maps with locks", entry.target};
            if (!fits_inner(map, outer.inner, *bundle.tables->find_map_type(outer.inner.type))) {
                return Error{"abi", "a map does not fit into the map of maps that names it", entry.target};
            }
            return done();
        }));
    }
    return done();
}

}  // namespace detail

// `out` is overwritten; on error its contents mean nothing.
inline Status decode_bundle(std::span<const std::uint8_t> bytes, BundleView& out, const abi::Tables& tables = abi::guest_tables) {
    if (bytes.size() > abi::max_bundle_bytes) return Error{"limits", "bundle is larger than 1 MiB", bytes.size()};
    out.tables = &tables;
    out.map_count = 0;
    out.helper_count = 0;
    cbor::Reader in{bytes, "abi"};
    auto fields = TRY(cbor::MapReader::open(in));
    while (const auto key = TRY(fields.next())) TRY(detail::read_bundle_field(in, *key, bytes, out));
    TRY(fields.require(0b1111111111));
    TRY(detail::check_inner_maps(out));
    return in.end();
}

}  // namespace unibpf
