// State: a set of machine states: those for which some choice of numbers for the symbols satisfies all Words, edges and origins.
//
// Edges say `a - b <= most` of symbols read as signed integers; they are added only where no term wraps. Origins say how a symbol
// was computed, so that a later test of it teaches something about its operands. Losing any of these is always sound.
// Functions named `learn` or `assume` return false if they find that the state is impossible.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "services/signer/native/state/frame.hpp"
#include "services/signer/native/state/value.hpp"
#include "services/signer/native/values/word.hpp"

namespace unibpf::certificate {

inline constexpr unsigned register_count = 11, frame_pointer = 10;
// What guests promise: a packet has at most so many bytes, its metadata too.
inline constexpr std::int64_t largest_packet = abi::largest_packet, largest_metadata = 256;
inline constexpr std::int64_t most_rounds = std::int64_t{1} << 60;  // no machine lives for longer

struct Origin {
    enum class Form : std::uint8_t {
        none,
        sum,
        difference,
        shifted,
        low_half,
        rounded
    } form = Form::none;
    // As signed integers, nothing wraps: sum: left + right; difference: left - right. shifted: left << 32; low_half: of left.
    // rounded: left, which is not negative, without its lowest bits, whose worth together is the constant right.
    Term left{}, right{};
    bool operator==(const Origin&) const = default;
};
struct SymbolInfo {
    Word word;
    Origin origin{};
};
struct Edge {
    Symbol a, b;
    std::int64_t most;
};

// A ghost: how often a loop went round, as a number that rises from 0 and one that falls.
struct Ghost {
    Value up, down;
};
struct Loop {
    std::uint32_t node;  // of its head
    Ghost rounds;
};
// A helper that calls back, until it returns.
struct Callback {
    Value limit;              // it calls no more often
    Value context, map;       // what it hands to the function
    bool exact;               // as often, unless the function says that it is enough
    std::uint32_t function;   // which begins there
    Ghost rounds;             // that are over
};
// What must be given back. `witness`: as of values; the program holds it where that says "there".
struct Held {
    std::uint64_t call;
    std::int64_t bytes;
    Witness witness;
};

// Stack bytes that hold numbers if the helper succeeded, whose result is 0 then, and else what they held before. Certificates have none.
struct Attempt {
    Value result;
    std::uint64_t frame;
    unsigned start, bytes;
};

enum class Locked : std::uint8_t {
    no,
    yes,
    unknown
};

class State {
  public:
    // Where a run begins: nothing but the context in r1 and an empty frame.
    static State start();

    std::array<Value, register_count> reg{};
    std::vector<std::array<Value, 4>> saved;  // r6 to r9 of the callers
    std::vector<Frame> frames;
    std::vector<Callback> callbacks;
    std::vector<Loop> loops;                  // outermost first
    std::vector<Held> held;
    Locked locked = Locked::no;
    std::uint64_t lock = 0;                   // identity of the value whose lock is held
    std::vector<Attempt> attempts;
    std::vector<SymbolInfo> symbols;
    std::vector<Edge> edges;
    Witness next_witness = always + 1;

    // --- terms
    Symbol fresh(const Word& word, const Origin& origin = {});
    Term term(const Word& word, const Origin& origin = {});   // a constant needs no symbol
    Value number(const Word& word, const Origin& origin = {}) { return Value::number(term(word, origin)); }
    Word word(Term term) const;
    Term settled(Term term) const;             // zero + constant if that is what it is
    std::optional<std::uint64_t> constant(const Value& value) const;
    // Signed bounds; everything if the term may wrap.
    Range<std::int64_t> range(Term term) const;
    // The most that a - b can be, as integers; nothing if a term may wrap or no bound is known.
    std::optional<std::int64_t> gap(Term a, Term b) const;
    Term add(Term a, Term b);
    Term subtract(Term a, Term b);
    // What an origin says a + b or a - b is, modulo 2^64.
    std::optional<Term> known_sum(Term a, Term b) const;
    std::optional<Term> known_difference(Term a, Term b) const;
    bool small(Term term) const;               // sums of two such do not wrap

    // --- learning
    [[nodiscard]] bool narrow(Term term, const Word& word);
    [[nodiscard]] bool assume(Test test, unsigned width, bool holds, Term a, Term b);
    void assume_there(Witness witness, bool is_there);
    void add_edge(Symbol a, Symbol b, std::int64_t most);
    // That a - b, as integers, lies there; an impossible state stays as it is, which is sound.
    void learn_distance(Term a, Term b, const Range<std::int64_t>& between) { (void)distance(a, b, between); }
    void learn_share(Term part, Term whole, unsigned places);  // of part = whole >> places, both not negative (shares.cpp)
    bool is_remainder(const SymbolInfo& info) const { return info.origin.form == Origin::Form::difference && info.origin.left.symbol == packet_size; }

    // --- forgetting
    void packet_moved();
    void give_back(std::uint64_t call);
    void forget_identity(std::uint64_t identity);
    void pop_frame();
    void forget_attempts(std::uint64_t frame, unsigned start, unsigned bytes);
    // Drops symbols that nothing names any more, once they are many.
    void compact();

    const Held* find_held(std::uint64_t call) const;

    template <typename F>
    void each_value(F&& visit) {
        for (Value& value : reg) visit(value);
        for (auto& four : saved)
            for (Value& value : four) visit(value);
        for (Frame& frame : frames)
            for (Cell& cell : frame.cells) visit(cell.value);
        for (Callback& one : callbacks) visit(one.limit), visit(one.context), visit(one.map), visit(one.rounds.up), visit(one.rounds.down);
        for (Loop& one : loops) visit(one.rounds.up), visit(one.rounds.down);
        for (Attempt& one : attempts) visit(one.result);
    }

  private:
    bool exact(Term term) const;   // symbol + offset does not wrap as a signed number
    void learn_middle(Term middle, const Origin& sum);
    void tighten(Term term);
    void learn_part_of_way(Term sum, Term from, Term part);
    bool below(Term a, Term b, std::int64_t by);         // learns a + by <= b
    bool tested_below(Term a, Term b, std::int64_t by);  // the same, by a test: false if the opposite is known
    bool ordered(Test test, Term a, Term b);
    bool distance(Term a, Term b, const Range<std::int64_t>& between);  // learns that a - b lies there
    bool use_origin(Symbol symbol);
    bool use_origins();
    bool use_edges();
    void end_attempts();
    void reach(Symbol from, bool forward) const;
    void rename(Symbol from, Symbol to);

    std::size_t compact_at_ = 64;
};

}  // namespace unibpf::certificate
