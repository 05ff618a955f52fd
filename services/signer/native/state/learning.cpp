// What tests teach.
#include <algorithm>

#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {
namespace {

using Wide = __int128;
constexpr std::int64_t largest_edge = std::int64_t{1} << 40;

bool fits(Wide x) { return x >= INT64_MIN && x <= INT64_MAX; }
std::int64_t clamped(Wide x) {
    return x < INT64_MIN   ? INT64_MIN
           : x > INT64_MAX ? INT64_MAX
                           : static_cast<std::int64_t>(x);
}

bool is_signed(Test test) { return test == Test::sgt || test == Test::sge || test == Test::slt || test == Test::sle; }

// Do all numbers of both sides read the same as integers, whichever way the test reads them?
bool reads_as_integers(Test test, unsigned width, const Word& x, const Word& y) {
    const auto positive = [](const Word& w) { return w.s.low >= 0; };
    const auto short_signed = [](const Word& w) { return w.s.low >= INT32_MIN && w.s.high <= INT32_MAX; };
    const auto short_unsigned = [](const Word& w) { return w.u.high <= UINT32_MAX; };
    if (width == 64) return is_signed(test) || test == Test::eq || test == Test::ne || (positive(x) && positive(y));
    if (is_signed(test)) return short_signed(x) && short_signed(y);
    return short_unsigned(x) && short_unsigned(y);
}

}  // namespace

bool State::narrow(Term term, const Word& word) {
    const Word shifted = term.offset == 0 ? word : certificate::minus(word, Word::exactly(static_cast<std::uint64_t>(term.offset)));
    return symbols[term.symbol].word.meet(shifted);
}

bool State::below(Term a, Term b, std::int64_t by) {
    if (!exact(a) || !exact(b) || a.symbol == b.symbol) return true;
    if (a.symbol == zero) return !fits(Wide{a.offset} + by) || narrow(b, Word::signed_between(a.offset + by, INT64_MAX));
    if (b.symbol == zero) return !fits(Wide{b.offset} - by) || narrow(a, Word::signed_between(INT64_MIN, b.offset - by));
    const Wide most = Wide{b.offset} - a.offset - by;
    if (fits(most)) add_edge(a.symbol, b.symbol, static_cast<std::int64_t>(most));
    return true;
}

bool State::tested_below(Term a, Term b, std::int64_t by) {
    const auto reverse = gap(b, a);
    return !(reverse && *reverse < by) && below(a, b, by);
}

bool State::ordered(Test test, Term a, Term b) {
    switch (test) {
        case Test::lt:
        case Test::slt: return tested_below(a, b, 1);
        case Test::le:
        case Test::sle: return tested_below(a, b, 0);
        case Test::gt:
        case Test::sgt: return tested_below(b, a, 1);
        case Test::ge:
        case Test::sge: return tested_below(b, a, 0);
        case Test::eq: return tested_below(a, b, 0) && tested_below(b, a, 0);
        case Test::ne: {
            const auto most = gap(a, b);
            if (most && *most == 0 && !tested_below(a, b, 1)) return false;
            const auto least = gap(b, a);
            return !(least && *least == 0) || tested_below(b, a, 1);
        }
        case Test::set: return true;
    }
    __builtin_unreachable();
}

bool State::distance(Term a, Term b, const Range<std::int64_t>& between) {
    if (between.low > -largest_edge && !below(b, a, between.low)) return false;
    return between.high >= largest_edge || below(a, b, -between.high);
}

bool State::use_origin(Symbol symbol) {
    const Origin origin = symbols[symbol].origin;
    const Term own{symbol, 0};
    switch (origin.form) {
        case Origin::Form::none:
        case Origin::Form::shifted: return true;
        case Origin::Form::sum: return distance(own, origin.left, word(origin.right).s) && distance(own, origin.right, word(origin.left).s);
        case Origin::Form::rounded: return distance(origin.left, own, {0, origin.right.offset});
        case Origin::Form::difference: return distance(origin.left, origin.right, symbols[symbol].word.s) && distance(origin.left, own, word(origin.right).s);
        case Origin::Form::low_half: {
            Word lower;
            const Word& mine = symbols[symbol].word;
            lower.hu = mine.hu;
            lower.hs = mine.hs;
            lower.ones = mine.ones & UINT32_MAX;
            lower.fuzzy = mine.fuzzy | ~std::uint64_t{UINT32_MAX};
            if (!narrow(origin.left, lower) || !narrow(own, low_bytes(word(origin.left), 4))) return false;
            return word(origin.left).u.high > UINT32_MAX || distance(own, origin.left, {0, 0});  // nothing was cut off
        }
    }
    __builtin_unreachable();
}

bool State::use_origins() {
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        if (symbols[symbol].origin.form != Origin::Form::none && !use_origin(symbol)) return false;
    }
    return true;
}

bool State::use_edges() {
    bool again = true;
    for (int round = 0; again && round < 6; ++round) {
        again = false;
        for (const Edge& edge : edges) {
            Word &a = symbols[edge.a].word, &b = symbols[edge.b].word;
            const std::int64_t high = clamped(Wide{b.s.high} + edge.most), low = clamped(Wide{a.s.low} - edge.most);
            if (high < a.s.high) {
                if (high < a.s.low || !a.meet(Word::signed_between(INT64_MIN, high))) return false;
                again = true;
            }
            if (low > b.s.low) {
                if (low > b.s.high || !b.meet(Word::signed_between(low, INT64_MAX))) return false;
                again = true;
            }
        }
    }
    return true;
}

bool State::assume(Test test, unsigned width, bool holds, Term a, Term b) {
    a = settled(a), b = settled(b);
    Word x = word(a), y = word(b);
    if (!holds && test == Test::set) {
        if (!keep_unset(width, x, y)) return false;
    } else {
        if (!holds) test = opposite(test);
        if (!keep(test, width, x, y)) return false;
    }
    if (!narrow(a, x) || !narrow(b, y)) return false;
    if (reads_as_integers(test, width, x, y) && !ordered(test, a, b)) return false;
    if (!use_origins() || !use_edges() || !use_origins() || !use_edges()) return false;
    end_attempts();
    return true;
}

// A result is 0 or a negative number above -4096, so its low half is 0 where it is.
void State::end_attempts() {
    std::erase_if(attempts, [&](const Attempt& one) {
        const Word result = word(one.result.term);
        if (result.hu.high == 0) frames[one.frame].fill(one.start, one.bytes);
        return result.hu.high == 0 || result.hu.low > 0;
    });
}

void State::assume_there(Witness witness, bool is_there) {
    each_value([&](Value& value) {
        if (value.witness != witness) return;
        if (is_there) value.witness = always;
        else value = Value::constant(0);
    });
    if (!is_there) std::erase_if(held, [&](const Held& one) { return one.witness == witness; });
    for (Held& one : held) {
        if (one.witness == witness) one.witness = always;
    }
}

}  // namespace unibpf::certificate
