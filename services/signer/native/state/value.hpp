// Value: what one register or spilled cell holds: a kind and a term `symbol + offset`.
//
// A number is its term. A pointer is so many bytes after the start of its object: `data` of a packet, the upper end of a stack
// frame, the first byte of a map value, key or record. `witness` names the question "is it there?": of values that share one,
// either all are null or none is. The encoding of kinds and flags is the certificate's (schemas/certificate.cddl).
#pragma once

#include <cstdint>

#include "guest/bpf/bundle/abi.hpp"

namespace unibpf::certificate {

using Symbol = std::uint32_t;
using Witness = std::uint32_t;
inline constexpr Symbol zero = 0;          // the number 0
inline constexpr Symbol packet_size = 1;   // data_end - data
inline constexpr Symbol meta_start = 2;    // data_meta - data, never positive
inline constexpr Symbol first_free = 3;
inline constexpr Witness always = 0;       // it is there

enum class Kind : std::uint8_t {
    unset = 0,          // must not be read
    unknown = 1,        // a number or an address: may be copied, nothing else
    number = 2,
    context = 3,
    packet = 4,
    stale_packet = 5,   // object: `half`: only the low 32 bits; `moved`: of the packet before a helper moved it
    stack = 6,          // object: frame, 0 is the entry function's
    map_value = 7,      // object: set of maps, one bit each, one of which it belongs to
    map_key = 8,        // likewise
    map = 9,            // likewise: the map itself
    inner_map = 10,     // likewise: a map that stands in one of them
    record = 11,        // object: the call that gave it (`Held::call`)
    function = 13,      // object: its first instruction
    complement = 14,    // ~p of an address p of the packet; certificates do not have it
};
inline constexpr std::uint64_t half = 1, moved = 2;

// Labels of values with a lock: of calls, of the maps of global data, and beyond those names that only certificates give.
inline constexpr std::uint64_t first_data_label = std::uint64_t{1} << 63, last_data_label = first_data_label + abi::max_maps;
inline constexpr bool is_name(std::uint64_t label) { return label > last_data_label; }

struct Term {
    Symbol symbol = zero;
    std::int64_t offset = 0;
    bool operator==(const Term&) const = default;
    Term plus(std::int64_t by) const { return {symbol, static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) + static_cast<std::uint64_t>(by))}; }
    Term minus(std::int64_t by) const { return {symbol, static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) - static_cast<std::uint64_t>(by))}; }
};

struct Value {
    Kind kind = Kind::unset;
    Witness witness = always;
    std::uint64_t object = 0;
    Term term{};
    std::uint64_t identity = 0;  // of values with a lock: equal and not 0 means the same value; of keys: the frame that may use it

    static Value number(Term term) { return {Kind::number, always, 0, term, 0}; }
    static Value constant(std::uint64_t number) { return Value::number({zero, static_cast<std::int64_t>(number)}); }
    static Value unknown() { return {Kind::unknown, always, 0, {}, 0}; }
    static Value pointer(Kind kind, std::uint64_t object = 0, Term term = {}) { return {kind, always, object, term, 0}; }

    bool is_number() const { return kind == Kind::number; }
    bool is_address() const { return kind >= Kind::context; }
    bool is_zero() const { return is_number() && term == Term{}; }
    bool is_packet() const { return kind == Kind::packet || kind == Kind::stale_packet; }
    bool is_half() const { return kind == Kind::stale_packet && (object & half) != 0; }
    bool is_set() const { return kind >= Kind::map_value && kind <= Kind::inner_map; }
    bool may_be_null() const { return witness != always; }
    Value with(Term other) const {
        Value result = *this;
        result.term = other;
        return result;
    }
};

}  // namespace unibpf::certificate
