// State: what holds whenever control reaches one point: registers, stack frames, loop counters, symbols and their differences.
//
// Invariants: every symbol named by a value, an edge or a definition has an entry in `symbols`; the first three are those of
// value.hpp; a symbol (other than those) whose scalar is a constant is replaced by zero + constant as soon as that is found, so
// that equal constants are equal terms. A state that cannot occur is never stored: operations that can discover it say so.
// Concretisation: the machine states for which some assignment of the symbols satisfies all scalars, edges and definitions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/verifier/native/domains/differences.hpp"
#include "services/verifier/native/domains/scalar.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/state/stack.hpp"
#include "services/verifier/native/state/value.hpp"

namespace unibpf::analyser {

// How a symbol came to be, where later tests of it teach something about its operands.
struct Definition {
    enum class Form : std::uint8_t {
        none,
        sum,
        difference,
        shifted,
        truncated,
        rounded
    } form = Form::none;
    // sum, difference: left + right, left - right, no wrap. shifted: left << 32. truncated: low 32 bits of left.
    // rounded: left, not negative, without its lowest bits, which are worth right (a constant) together.
    Term left{}, right{};
};

struct SymbolInfo {
    Scalar scalar;
    Definition definition{};
};

// A loop counts how often its head was entered, upwards from 0 and downwards from 0 (two, so that differences can relate
// either to variables that rise or fall).
struct LoopCounter {
    std::uint32_t head;
    Value up, down;
};

// What a helper gave to the program and must get back. `nullable` as in Value: no_symbol where the program holds it for sure,
// else a symbol that is 1 where it does; a register that shares it is null where it does not. At most one for a site.
struct Reference {
    Site site;
    Kind kind;                  // record or socket
    std::uint32_t instruction;  // of the call
    std::int64_t bytes;         // that a pointer to it may reach
    Symbol nullable;
};

// The bpf_spin_lock that is held.
struct Lock {
    enum class Held : std::uint8_t {
        no,
        yes,
        some
    } held = Held::no;  // some: on some paths, or nobody knows which
    Site identity = no_site;                                            // of the value that it is in
    bool operator==(const Lock&) const = default;
};

// A call that calls back: how often at most, with what. Kept from the call until the helper returns.
struct Callback {
    Value limit, context, map;
    bool is_exact;  // as often, unless a callback says that it is enough
};

// A packet is never longer, on any platform; and no loop runs for longer than a machine lives.
inline constexpr std::int64_t largest_packet = 0xffff, largest_metadata = 256;
inline constexpr std::int64_t largest_count = std::int64_t{1} << 60;

// Stack bytes that hold numbers if a helper's result says that it succeeded (is 0), and else what they held before. Forgotten at joins.
struct Attempt {
    Value result;
    std::uint64_t frame;
    unsigned start, bytes;
};

class State {
  public:
    // The entry of a program of this platform.
    static State entry(Platform platform);

    std::array<Value, register_count> registers{};
    std::vector<std::array<Value, 4>> saved;  // r6..r9 of the callers
    std::vector<Frame> frames;
    std::vector<Callback> callbacks;  // of calls that have not returned, outermost first
    std::vector<LoopCounter> counters;
    std::vector<Reference> references;  // sorted by site
    Lock lock;
    std::vector<Attempt> attempts;
    std::vector<SymbolInfo> symbols;
    Differences differences;
    bool relates_shares = false;  // a closer look: shares of distances, middles and rounded numbers are related to the whole
    std::uint32_t trail = 0;  // of the certificate: the ways that lead here (certificate/recorder.hpp); no part of what holds

    Frame& frame(const Value& pointer) { return frames[pointer.object]; }
    const Frame& frame(const Value& pointer) const { return frames[pointer.object]; }

    // --- numbers
    Symbol fresh(const Scalar& scalar, Definition definition = {});
    Number number(const Scalar& scalar, Definition definition = {});  // constants need no symbol
    Scalar scalar(const Number& number) const { return bounds(number); }
    // What is known of a term, be it a number or an offset. Only its range means something for an offset.
    Scalar bounds(const Term& term) const;
    // The term wraps nowhere and sums of two such terms do not wrap either.
    bool is_tame(const Term& term) const;
    // Signed bounds of the term, differences included; what may wrap gives the whole range.
    Interval<std::int64_t> range(const Term& term) const;
    Interval<std::int64_t> range(const Number& number) const { return range(number.term()); }
    Interval<std::int64_t> range(const Value& value) const { return range(value.term()); }
    // Least known c with a - b <= c, as integers; nothing if unknown or if a term may wrap.
    std::optional<std::int64_t> upper_difference(const Term& a, const Term& b) const;
    std::optional<std::int64_t> upper_difference(const Value& a, const Value& b) const { return upper_difference(a.term(), b.term()); }
    // Sum and difference, with all that is known of their relation.
    Number add(const Number& a, const Number& b) { return Number{add_terms(a, b)}; }
    // The number whose low half a shift by 32 bits has put into the upper half of this one.
    std::optional<Number> shifted_number(const Number& number) const {
        const Definition& definition = symbols[number.symbol()].definition;
        const bool is_shifted = number.delta() == 0 && definition.form == Definition::Form::shifted;
        return is_shifted ? std::optional{Number{definition.left}} : std::nullopt;
    }
    Number subtract(const Number& a, const Number& b) { return Number{subtract_terms(a, b)}; }
    // A number that is not negative shifted right, with what is known of its share of a distance, or of the middle of two numbers;
    // `result` is the scalar's.
    Number shifted_right(const Number& number_of, unsigned places, const Scalar& result);
    // Likewise of a number whose lowest bits are cleared, which were worth `most` together.
    Number rounded_down(const Number& whole, std::int64_t most, const Scalar& result);
    // ~p of a packet address, and what ~p + q of another in the same packet is: their distance - 1.
    Value complement(const Value& pointer) { return Value{Kind::complement}.at(subtract_terms({zero_symbol, -1}, pointer.term())); }
    Number beyond(const Value& complement, const Value& pointer);
    // A pointer moved by a number, forwards or backwards.
    Value moved(const Value& pointer, const Number& by, bool backwards);
    // a - b of addresses in the same object; modulo 2^32 if one of them is a half.
    Number distance(const Value& a, const Value& b) { return Number{subtract_terms(a.term(), b.term())}; }

    // An address that is 0 on no platform (addresses.hpp). Of a pointer that may be null: in those executions where it is not.
    bool is_never_zero(const Value& pointer) const;
    // Points into the packet or at its end, so that the address fits 32 bits where packets lie below 4 GiB (design section 7).
    bool is_short_address(const Value& value, Platform platform) const;

    // --- learning; false: the state cannot occur
    [[nodiscard]] bool assume(Condition condition, unsigned width, bool holds, const Term& a, const Term& b);
    [[nodiscard]] bool narrow(const Term& term, const Scalar& scalar);
    void assume_null(Symbol nullable, bool is_null);
    // Old packet pointers are good for distances between each other only; the old size means nothing any more.
    void forget_packet(Platform platform);
    // The reference of that site is held now, or held where `nullable` is 1; old pointers to it are worthless.
    void acquire(const Reference& reference);
    // Given back: pointers to it are worthless, wherever they are.
    void release(Site site);
    const Reference* reference(Site site) const;
    // Nobody knows any more which are held.
    void forget_references();
    // The call of that site gives another value: what it gave before is some value.
    void forget_identity(Site site);
    // Something else than a number is stored there: what is learnt of an attempt says nothing of these bytes any more.
    void forget_attempts(std::uint64_t frame, unsigned start, unsigned bytes);
    // After a frame is popped, addresses in it are worthless.
    void forget_frame(std::uint64_t frame);

    // What its own bounds and differences say of the parts of a symbol that has a definition.
    void settle(Symbol symbol);
    // a - b, if that was computed before.
    std::optional<Term> known_difference(const Term& a, const Term& b) const;

    // Drops symbols that nothing names but what is left of the packet beyond a pointer.
    void compact();
    void compact_if_large() {
        if (symbols.size() > compact_at_) compact();
    }

    template <typename F>
    void each_value(F&& visit) { visit_values(*this, visit); }
    template <typename F>
    void each_value(F&& visit) const { visit_values(*this, visit); }

  private:
    Term add_terms(const Term& a, const Term& b);
    Term subtract_terms(const Term& a, const Term& b);
    template <typename Self, typename F>
    static void visit_values(Self& self, F& visit) {
        for (auto& value : self.registers) visit(value);
        for (auto& set : self.saved)
            for (auto& value : set) visit(value);
        for (auto& frame : self.frames)
            for (auto& cell : frame.cells()) visit(cell.value);
        for (auto& call : self.callbacks) visit(call.limit), visit(call.context), visit(call.map);
        for (auto& counter : self.counters) visit(counter.up), visit(counter.down);
        for (auto& attempt : self.attempts) visit(attempt.result);
    }
    bool propagate();
    bool propagate(std::vector<Symbol>& narrowed);
    bool test_order(const Term& small, const Term& large, std::int64_t gap);
    bool learn_order(const Term& small, const Term& large, std::int64_t gap);
    bool learn_relation(Condition condition, bool holds, const Term& a, const Term& b);
    bool learn_distance(const Term& a, const Term& b, const Interval<std::int64_t>& distance);
    std::optional<Term> known_sum(const Term& a, const Term& b) const;
    bool learn_part_of_way(const Term& sum, const Term& from, const Term& part);
    bool narrow_by_differences(const Term& value);
    bool learn_share(const Term& part, const Term& whole, unsigned places);
    bool learn_middle(const Term& middle, const Definition& sum);
    bool learn_definition(Symbol symbol);
    bool learn_low_half(Symbol symbol, const Term& whole);
    bool unite(Symbol symbol, const Term& term);
    bool learn_definitions(Symbol changed);
    void end_attempts();
    void substitute(Symbol symbol, Symbol by, std::int64_t delta);
    bool fold_constants();

    std::size_t compact_at_ = 96;
};

// Can the term be computed without wrapping as a signed number?
bool is_exact(const Scalar& symbol, std::int64_t delta);

// Least upper bound. `widen`: the result is above `a` too, and iterating it terminates; bounds jump to `thresholds` (sorted).
// `relate_counters`: at loop heads, look for differences between counters and what changes in the loop.
struct JoinOptions {
    bool widen = false;
    bool relate_counters = false;
    const std::vector<std::int64_t>* thresholds = nullptr;
};
State join(const State& a, const State& b, const JoinOptions& options = {});
// Sound test for containment: true means that every machine state of `a` is one of `b`.
bool leq(const State& a, const State& b);

}  // namespace unibpf::analyser
