// Terms: what they can be, and how they differ.
#include <algorithm>

#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {
namespace {

using Wide = __int128;

constexpr std::int64_t largest_edge = std::int64_t{1} << 40;  // looser ones are of no use
constexpr std::size_t most_edges = 128;

bool fits(Wide x) { return x >= INT64_MIN && x <= INT64_MAX; }
std::int64_t clamped(Wide x) {
    return x < INT64_MIN   ? INT64_MIN
           : x > INT64_MAX ? INT64_MAX
                           : static_cast<std::int64_t>(x);
}

// Distances along edges from or to one symbol. Every distance that was found follows from edges, however early one stops.
struct Distances {
    std::vector<std::int64_t> to;
    std::vector<bool> found;
    std::vector<Symbol> list;

    void begin(std::size_t symbols) {
        for (const Symbol symbol : list) found[symbol] = false;
        list.clear();
        if (found.size() < symbols) found.resize(symbols, false), to.resize(symbols, 0);
    }
    bool improve(Symbol symbol, Wide distance) {
        if (distance > largest_edge || distance < -largest_edge) return false;
        if (found[symbol] && to[symbol] <= distance) return false;
        if (!found[symbol]) list.push_back(symbol);
        found[symbol] = true;
        to[symbol] = static_cast<std::int64_t>(distance);
        return true;
    }
};
thread_local Distances reached;

}  // namespace

State State::start() {
    State state;
    state.symbols.resize(first_free);
    state.symbols[zero].word = Word::exactly(0);
    state.symbols[packet_size].word = Word::between(0, largest_packet);
    state.symbols[meta_start].word = Word::signed_between(-largest_metadata, 0);
    state.frames.resize(1);
    state.reg[1] = Value::pointer(Kind::context);
    state.reg[frame_pointer] = Value::pointer(Kind::stack);
    return state;
}

Symbol State::fresh(const Word& word, const Origin& origin) {
    symbols.push_back({word, origin});
    return static_cast<Symbol>(symbols.size() - 1);
}

Term State::term(const Word& word, const Origin& origin) {
    if (word.known()) return {zero, static_cast<std::int64_t>(word.u.low)};
    return {fresh(word, origin), 0};
}

Word State::word(Term term) const {
    const Word& own = symbols[term.symbol].word;
    return term.offset == 0 ? own : certificate::plus(own, Word::exactly(static_cast<std::uint64_t>(term.offset)));
}

Term State::settled(Term term) const {
    const Word& own = symbols[term.symbol].word;
    return term.symbol != zero && own.known() ? Term{zero, static_cast<std::int64_t>(own.u.low)}.plus(term.offset) : term;
}

std::optional<std::uint64_t> State::constant(const Value& value) const {
    const Term term = settled(value.term);
    if (!value.is_number() || term.symbol != zero) return std::nullopt;
    return static_cast<std::uint64_t>(term.offset);
}

bool State::exact(Term term) const {
    const Range<std::int64_t>& own = symbols[term.symbol].word.s;
    return fits(Wide{own.low} + term.offset) && fits(Wide{own.high} + term.offset);
}

bool State::small(Term term) const {
    const auto own = range(term);
    return exact(term) && own.low >= -largest_edge && own.high <= largest_edge;
}

void State::reach(Symbol from, bool forward) const {
    reached.begin(symbols.size());
    (void)reached.improve(from, 0);
    bool again = true;
    for (int round = 0; again && round < 10; ++round) {
        again = false;
        for (const Edge& edge : edges) {
            const Symbol source = forward ? edge.a : edge.b, target = forward ? edge.b : edge.a;
            if (reached.found[source]) again |= reached.improve(target, Wide{reached.to[source]} + edge.most);
        }
    }
}

Range<std::int64_t> State::range(Term term) const {
    if (!exact(term)) return word(term).s;
    Range<std::int64_t> own = symbols[term.symbol].word.s;
    if (term.symbol != zero && !edges.empty()) {
        reach(term.symbol, true);
        for (const Symbol other : reached.list) own.high = std::min(own.high, clamped(Wide{symbols[other].word.s.high} + reached.to[other]));
        reach(term.symbol, false);
        for (const Symbol other : reached.list) own.low = std::max(own.low, clamped(Wide{symbols[other].word.s.low} - reached.to[other]));
    }
    return {own.low + term.offset, own.high + term.offset};
}

std::optional<std::int64_t> State::gap(Term a, Term b) const {
    if (!exact(a) || !exact(b)) return std::nullopt;
    const Wide apart = Wide{a.offset} - b.offset;
    if (a.symbol == b.symbol) return fits(apart) ? std::optional{static_cast<std::int64_t>(apart)} : std::nullopt;
    Wide best = Wide{range(a).high} - range(b).low;
    reach(a.symbol, true);
    if (reached.found.size() > b.symbol && reached.found[b.symbol]) best = std::min(best, apart + reached.to[b.symbol]);
    return fits(best) ? std::optional{static_cast<std::int64_t>(best)} : std::nullopt;
}

void State::add_edge(Symbol a, Symbol b, std::int64_t most) {
    if (a == b || most > largest_edge || most < -largest_edge) return;
    for (Edge& edge : edges) {
        if (edge.a != a || edge.b != b) continue;
        edge.most = std::min(edge.most, most);
        return;
    }
    if (edges.size() == most_edges) edges.erase(edges.begin());
    edges.push_back({a, b, most});
}

// What was computed so before, at whatever distance: symbols are names of values, so the same terms have the same sum.
std::optional<Term> State::known_sum(Term a, Term b) const {
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        const auto& [form, left, right] = symbols[symbol].origin;
        const bool straight = left.symbol == a.symbol && right.symbol == b.symbol, crossed = left.symbol == b.symbol && right.symbol == a.symbol;
        if (form == Origin::Form::sum && (straight || crossed)) return Term{symbol, a.offset}.plus(b.offset).minus(left.offset).minus(right.offset);
        const bool completes = (symbol == a.symbol && right.symbol == b.symbol) || (symbol == b.symbol && right.symbol == a.symbol);
        if (form == Origin::Form::difference && completes) return left.minus(right.offset).plus(a.offset).plus(b.offset);
    }
    return std::nullopt;
}

std::optional<Term> State::known_difference(Term a, Term b) const {
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        const auto& [form, left, right] = symbols[symbol].origin;
        const bool same = left.symbol == a.symbol && right.symbol == b.symbol;
        if (form == Origin::Form::difference && same) return Term{symbol, a.offset}.minus(b.offset).minus(left.offset).plus(right.offset);
        if (form != Origin::Form::sum || symbol != a.symbol) continue;
        if (left.symbol == b.symbol) return right.plus(left.offset).plus(a.offset).minus(b.offset);
        if (right.symbol == b.symbol) return left.plus(right.offset).plus(a.offset).minus(b.offset);
    }
    return std::nullopt;
}

Term State::add(Term a, Term b) {
    a = settled(a), b = settled(b);
    if (b.symbol == zero) return a.plus(b.offset);
    if (a.symbol == zero) return b.plus(a.offset);
    if (const auto same = known_sum(a, b)) return *same;
    const Word sum = certificate::plus(word(a), word(b));
    if (!small(a) || !small(b)) return term(sum);
    const Term result = term(sum, {Origin::Form::sum, a, b});
    if (result.symbol == zero) return result;
    (void)use_origin(result.symbol);  // an impossible state stays as it is, which is sound
    learn_part_of_way(result, a, b);
    learn_part_of_way(result, b, a);
    return result;
}

Term State::subtract(Term a, Term b) {
    a = settled(a), b = settled(b);
    if (a.symbol == b.symbol) return Term{}.plus(a.offset).minus(b.offset);
    if (b.symbol == zero) return a.minus(b.offset);
    if (const auto same = known_difference(a, b)) return *same;
    Word rest = certificate::minus(word(a), word(b));
    if (!small(a) || !small(b)) return term(rest);
    const auto most = gap(a, b), least = gap(b, a);
    if (most && least && -*least <= *most && !rest.meet(Word::signed_between(-*least, *most))) rest = {};
    const Term result = term(rest, {Origin::Form::difference, a, b});
    if (result.symbol != zero) (void)use_origin(result.symbol);
    return result;
}

}  // namespace unibpf::certificate
