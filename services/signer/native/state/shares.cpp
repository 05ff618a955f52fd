// Shares of numbers: halves of distances and middles of intervals, as searches go.
#include <utility>

#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {

// x - (x >> n) grows with x where x is not negative. What was rounded by fewer bits than are shifted out is shifted as a whole.
void State::learn_share(Term part, Term whole, unsigned places) {
    part = settled(part), whole = settled(whole);
    const Origin rounding = symbols[whole.symbol].origin;
    const bool drops_more = rounding.form == Origin::Form::rounded && whole.offset == 0 && rounding.right.offset < std::int64_t{1} << places;
    if (drops_more) whole = settled(rounding.left);
    const auto known = range(whole);
    if (part.symbol == zero || known.low < 0 || !small(whole)) return;
    const auto rest = [&](std::int64_t x) { return x - (x >> places); };
    learn_distance(whole, part, {rest(known.low), rest(known.high)});
    const Origin origin = symbols[whole.symbol].origin;
    if (origin.form == Origin::Form::sum && whole.offset == 0 && places == 1) learn_middle(part, origin);
    tighten(part);
}

// left <= right + c gives (left + right) >> 1 <= right + (c >> 1); left >= right - d gives (left + right) >> 1 >= right - d + (d >> 1).
void State::learn_middle(Term middle, const Origin& sum) {
    for (const auto& [one, other] : {std::pair{sum.left, sum.right}, std::pair{sum.right, sum.left}}) {
        const auto above = gap(one, other), below_it = gap(other, one);
        if (above) (void)below(middle, other, -(*above >> 1));
        if (below_it) (void)below(other, middle, -(*below_it >> 1) - (*below_it & 1));
    }
}

// `part` of the way from `from` to some place: where part <= (place - from) + c, from + part <= place + c.
void State::learn_part_of_way(Term sum, Term from, Term part) {
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        const Origin way = symbols[symbol].origin;
        if (way.form != Origin::Form::difference || way.right.symbol != from.symbol || symbol == part.symbol) continue;
        const auto beyond = gap(part, {symbol, 0});
        if (!beyond || !small(way.left) || !small(way.right)) continue;
        const __int128 by = __int128{way.right.offset} - from.offset - *beyond;
        if (by >= INT64_MIN && by <= INT64_MAX) (void)below(sum, way.left, static_cast<std::int64_t>(by));
    }
    tighten(sum);
}

// Operations ask for a number's own bounds: those that follow from differences become its own.
void State::tighten(Term term) {
    const auto known = range(term);
    (void)narrow(term, Word::signed_between(known.low, known.high));
}

}  // namespace unibpf::certificate
