// Value: what one register or stack cell holds: a kind, and a number as `symbol + delta` (modulo 2^64).
//
// For a Number the term is its value. For a pointer it is the distance in bytes from the start of what it points into: from
// `data` for packets, from the frame's top for the stack, from its first byte for a map value. `nullable` is a symbol that is 0
// where the pointer is null and 1 where it is not; registers copied from each other share it, so one test serves them all.
// A Site names the place of one call in the graph: what a call gives is known by it until the same call gives the next.
//
// Three types keep apart what looks alike. A Term is `symbol + delta` and the value of nothing. A Number is a term that *is* what a
// register, a cell or an immediate holds: only `Value::as_number` and computing with numbers give one, and everything that asks
// for bits, signs or widths takes a Number (State::scalar). An offset is the term of an address whose place is known. So half of an
// address, or the offset of a whole one, cannot be extended, truncated or computed with as if it were a number: it does not compile.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/bpf/bundle/abi.hpp"
#include "services/verifier/native/domains/differences.hpp"

namespace unibpf::analyser {

// Symbols that every state has. `zero` is the constant 0, so a constant is zero + delta.
inline constexpr Symbol zero_symbol = 0;
inline constexpr Symbol packet_size = 1;  // data_end - data
inline constexpr Symbol meta_start = 2;   // data_meta - data: 0 or negative; on Linux also 1, which says that there is none
inline constexpr Symbol first_free_symbol = 3;
inline constexpr Symbol no_symbol = UINT32_MAX;

using Site = std::uint32_t;
inline constexpr Site no_site = 0, most_sites = 1U << 31;  // above: places of another kind
inline constexpr Site joined_names = most_sites + abi::max_maps;  // above: names that joins give to values that have two

enum class Kind : std::uint8_t {
    uninitialised,  // never written on some path
    mixed,          // different kinds on different paths; may be an address
    number,
    context,
    packet,
    packet_address,  // of a packet byte, good for distances only; object = set of AddressForm
    stack,       // object = frame, 0 is the entry program's
    map_value,   // object = set of maps, bit by index: a value of one of them, of a map inside one of them, or a device
    map_key,     // object = set of maps, likewise; read-only, what bpf_for_each_map_elem hands to its callback
    map_handle,  // object = set of maps: one of them
    inner_map,   // object = set of maps of maps: a map inside one of them
    record,      // object = site of the call that reserved it (State::references)
    socket,      // object = site of the call that found it
    function,    // object = instruction where it begins
    complement,  // ~address of a packet byte, good for one thing: added to an address of the packet it gives their distance - 1
};

// Of packet_address: the low half of an address (the term is right modulo 2^32); from before a helper moved the packet.
inline constexpr std::uint64_t low_half = 1, from_before = 2;

// symbol + delta, modulo 2^64.
struct Term {
    Symbol symbol = zero_symbol;
    std::int64_t delta = 0;

    bool operator==(const Term&) const = default;
    Term moved(std::int64_t by) const { return {symbol, static_cast<std::int64_t>(static_cast<std::uint64_t>(delta) + static_cast<std::uint64_t>(by))}; }
};

class Number {
  public:
    static Number constant(std::uint64_t value) { return Number{{zero_symbol, static_cast<std::int64_t>(value)}}; }

    bool operator==(const Number&) const = default;
    operator Term() const { return term_; }
    Term term() const { return term_; }
    Symbol symbol() const { return term_.symbol; }
    std::int64_t delta() const { return term_.delta; }
    bool is_constant() const { return term_.symbol == zero_symbol; }
    std::uint64_t constant_value() const { return static_cast<std::uint64_t>(term_.delta); }

  private:
    friend struct Value;
    friend class State;
    explicit Number(const Term& term) : term_{term} {}

    Term term_;
};

struct Value {
    Kind kind = Kind::uninitialised;
    Site identity = no_site;  // of a map value with a lock: equal means the same value, no_site means that nobody knows
    std::uint64_t object = 0;
    Symbol symbol = zero_symbol;
    Symbol nullable = no_symbol;
    std::int64_t delta = 0;

    Value() = default;
    Value(Kind what, Site site = no_site, std::uint64_t in = 0, Symbol of = zero_symbol, Symbol witness = no_symbol, std::int64_t by = 0)
        : kind{what}, identity{site}, object{in}, symbol{of}, nullable{witness}, delta{by} {}
    Value(const Number& number) : kind{Kind::number}, symbol{number.symbol()}, delta{number.delta()} {}

    static Value number(Symbol symbol, std::int64_t delta = 0) { return {Kind::number, no_site, 0, symbol, no_symbol, delta}; }
    static Value constant(std::uint64_t value) { return number(zero_symbol, static_cast<std::int64_t>(value)); }
    // Its first byte, or as far past it.
    static Value pointer(Kind kind, std::uint64_t object = 0, std::int64_t delta = 0) { return {kind, no_site, object, zero_symbol, no_symbol, delta}; }

    bool operator==(const Value&) const = default;
    Term term() const { return {symbol, delta}; }
    std::optional<Number> as_number() const { return is_number() ? std::optional{Number{term()}} : std::nullopt; }
    // Of an address that is whole and not null: its distance from the start of what it points into.
    std::optional<Term> offset() const { return is_pointer() && !is_half() && !may_be_null() ? std::optional{term()} : std::nullopt; }
    bool is_number() const { return kind == Kind::number; }
    bool is_pointer() const { return kind >= Kind::context; }
    bool is_readable() const { return kind != Kind::uninitialised; }
    bool is_null() const { return is_constant() && delta == 0; }
    bool is_reference() const { return kind == Kind::record || kind == Kind::socket; }
    bool is_half() const { return kind == Kind::packet_address && (object & low_half) != 0; }
    bool is_packet_address() const { return kind == Kind::packet || kind == Kind::packet_address; }
    // One of several objects, as a set.
    bool is_set() const { return kind >= Kind::map_value && kind <= Kind::inner_map; }
    bool is_constant() const { return is_number() && symbol == zero_symbol; }
    bool may_be_null() const { return nullable != no_symbol; }
    std::uint64_t constant() const { return static_cast<std::uint64_t>(delta); }
    Value moved(std::int64_t by) const { return at(term().moved(by)); }
    // The same with another term.
    Value at(const Term& term) const {
        Value result = *this;
        result.symbol = term.symbol;
        result.delta = term.delta;
        return result;
    }
};

}  // namespace unibpf::analyser
