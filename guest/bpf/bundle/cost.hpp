// What calls of helpers cost besides the instruction, in instructions: one table for the guest, which takes it off a run's budget
// before the work is done, and for the analyser, which adds it to what a packet can cost.
//
// A helper costs by what it touches. Work is counted from the call's arguments alone, never by what is found there, and every
// formula only grows with its arguments: the analyser puts in the largest that it knows and so counts no less than the guest.
// What a cache line holds is part of the call itself. What a callback costs is counted as a function that is called.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/bpf/bundle/abi.hpp"

namespace unibpf::abi::cost {

using Units = std::uint64_t;  // instructions

enum class Work : std::uint8_t {
    call,     // nothing besides
    key,      // a key is looked for
    entry,    // and a value is written, or read to be shown
    bytes,    // of its size arguments
    event,    // likewise, and as many of the packet as its flags say
    entries,  // of a map, one after the other
    text,     // a format is followed
};

constexpr Work work_of(Helper helper) {
    switch (helper) {
        case Helper::map_lookup_elem:
        case Helper::map_delete_elem:
        case Helper::map_lookup_percpu_elem: return Work::key;
        case Helper::map_update_elem: return Work::entry;
        case Helper::csum_diff:
        case Helper::strtol:
        case Helper::strtoul:
        case Helper::strncmp:
        case Helper::ringbuf_output:
        case Helper::xdp_load_bytes:
        case Helper::xdp_store_bytes: return Work::bytes;
        case Helper::perf_event_output: return Work::event;
        case Helper::for_each_map_elem: return Work::entries;
        case Helper::trace_printk:
        case Helper::trace_vprintk:
        case Helper::snprintf: return Work::text;
        default: return Work::call;
    }
}
// Counted where the call is made, from numbers that only a run has; that of keys and entries is known when a program is loaded.
constexpr bool counted_in_runs(Helper helper) {
    const Work work = work_of(helper);
    return work != Work::call && work != Work::key && work != Work::entry;
}

// --- formulas ---------------------------------------------------------------------------------------------------------

inline constexpr Units cache_line = 64, bytes_an_instruction = 8, places_an_instruction = 4;
inline constexpr Units conversion = 64, string_conversion = 4096;  // of a format: 512 characters at most, each read with care

constexpr Units bytes(std::uint64_t count) { return count <= cache_line ? 0 : count / bytes_an_instruction; }
constexpr Units entries(std::uint64_t max_entries) { return max_entries / places_an_instruction; }
constexpr Units text(std::uint64_t format_bytes, std::uint64_t values, std::uint64_t strings, std::uint64_t room) {
    return format_bytes + values * conversion + (strings < values ? strings : values) * string_conversion + bytes(room);
}

// The conversions of a format that read a string, at most: `%s`, `%-8s`, `%pks`, `%pus`.
constexpr std::uint64_t strings_in(std::string_view format) {
    constexpr std::string_view between = "-+ 0123456789lpku";
    std::uint64_t found = 0;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%') continue;
        const std::size_t letter = format.find_first_not_of(between, at + 1);
        if (letter == std::string_view::npos) break;
        found += format[letter] == 's';
        at = format[letter] == '%' ? letter : letter - 1;
    }
    return found;
}

struct MapShape {
    const MapTypeRow* type;
    std::uint32_t key_bytes, value_bytes;
};
// A prefix is looked for bit by bit, at most.
constexpr Units key(const MapShape& map) {
    if (map.type->index == Index::prefix) return 8 * Units{map.key_bytes - 4};
    return map.type->index == Index::hash ? bytes(map.key_bytes) : 0;
}
constexpr Units entry(const MapShape& map) { return key(map) + bytes(map.value_bytes); }

// Of a call that any of the program's maps may be given to.
template <typename Shapes>
constexpr Units of_maps(Helper helper, const Shapes& maps) {
    const Work work = work_of(helper);
    if (work != Work::key && work != Work::entry) return 0;
    Units most = 0;
    for (const MapShape& map : maps) {
        const Units units = work == Work::key ? key(map) : entry(map);
        most = units > most ? units : most;
    }
    return most;
}

// Loaded code keeps that number with the call: sixteen bits of it and how often they are doubled. What does not fit is rounded up.
struct Stored {
    std::uint16_t units;
    std::uint8_t doubled;
};
constexpr Stored stored(Units units) {
    std::uint8_t doubled = 0;
    for (; units > UINT16_MAX; ++doubled) units = (units + 1) / 2;
    return {static_cast<std::uint16_t>(units), doubled};
}
constexpr Units given(Stored stored) { return Units{stored.units} << stored.doubled; }

}  // namespace unibpf::abi::cost
