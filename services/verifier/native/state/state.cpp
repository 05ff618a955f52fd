#include "services/verifier/native/state/state.hpp"

#include <algorithm>
#include <limits>

#include "services/verifier/native/state/addresses.hpp"

namespace unibpf::analyser {
namespace {

using Wide = __int128;

bool fits(Wide x) { return x >= INT64_MIN && x <= INT64_MAX; }

std::int64_t clamp(Wide x) {
    return x < INT64_MIN   ? INT64_MIN
           : x > INT64_MAX ? INT64_MAX
                           : static_cast<std::int64_t>(x);
}

// The most bytes between data and data_end: what a guest promises, what Linux can make at all.
std::int64_t largest_packet_of(Platform platform) {
    return platform == Platform::linux_xdp ? largest_packet : static_cast<std::int64_t>(abi::largest_packet);
}

// Of data_meta from data. Linux: at most 256 bytes of headroom, or 1, which says that the driver has none.
Scalar metadata_of(Platform platform) {
    if (platform == Platform::linux_xdp) return Scalar::signed_range(-256, 1);
    const bool has_metadata = abi::find_helper(static_cast<std::uint32_t>(abi::Helper::xdp_adjust_meta)) != nullptr;
    return has_metadata ? Scalar::signed_range(-static_cast<std::int64_t>(largest_metadata), 0) : Scalar::constant(0);
}

constexpr Term constant(std::uint64_t value) { return {zero_symbol, static_cast<std::int64_t>(value)}; }
std::uint64_t delta_of(const Term& term) { return static_cast<std::uint64_t>(term.delta); }

}  // namespace

bool is_exact(const Scalar& symbol, std::int64_t delta) { return fits(Wide{symbol.s64.low} + delta) && fits(Wide{symbol.s64.high} + delta); }

State State::entry(Platform platform) {
    State state;
    state.symbols.resize(first_free_symbol);
    state.symbols[zero_symbol].scalar = Scalar::constant(0);
    state.forget_packet(platform);
    state.frames.resize(1);
    state.registers[1] = Value::pointer(Kind::context);
    state.registers[10] = Value::pointer(Kind::stack);
    return state;
}

void State::forget_packet(Platform platform) {
    each_value([](Value& value) {
        if (value.kind == Kind::complement) value = {};
        if (!value.is_packet_address()) return;
        const bool is_old = value.kind == Kind::packet_address && (value.object & from_before) != 0;
        if (is_old || value.may_be_null()) value = {};
        else value.object |= from_before, value.kind = Kind::packet_address;
    });
    // Values that hold the old size or a distance keep it under new names; the three fixed symbols start afresh.
    for (const Symbol fixed : {packet_size, meta_start}) {
        const Symbol copy = fresh(symbols[fixed].scalar);
        substitute(fixed, copy, 0);
        differences.each_edge([&](Difference& edge) {
            if (edge.left == fixed) edge.left = copy;
            if (edge.right == fixed) edge.right = copy;
        });
    }
    symbols[packet_size] = {Scalar::unsigned_range(0, static_cast<std::uint64_t>(largest_packet_of(platform)))};
    symbols[meta_start] = {metadata_of(platform)};
}

const Reference* State::reference(Site site) const {
    for (const Reference& one : references) {
        if (one.site == site) return &one;
    }
    return nullptr;
}

void State::acquire(const Reference& reference) {
    release(reference.site);
    const auto place = std::find_if(references.begin(), references.end(), [&](const Reference& one) { return one.site > reference.site; });
    references.insert(place, reference);
}

void State::release(Site site) {
    each_value([&](Value& value) {
        if (value.is_reference() && value.object == site) value = {};
    });
    std::erase_if(references, [&](const Reference& one) { return one.site == site; });
}

void State::forget_references() {
    each_value([](Value& value) {
        if (value.is_reference()) value = {Kind::mixed};
    });
    for (Reference& one : references) one.nullable = fresh(Scalar::unsigned_range(0, 1));
}

void State::forget_identity(Site site) {
    each_value([&](Value& value) {
        if (value.identity == site) value.identity = no_site;
    });
}

void State::forget_frame(std::uint64_t frame) {
    std::erase_if(attempts, [&](const Attempt& attempt) { return attempt.frame >= frame; });
    each_value([&](Value& value) {
        if (value.kind == Kind::stack && value.object >= frame) value = {Kind::mixed};
        if (value.kind == Kind::map_key && (value.identity >= frame || value.identity == no_site)) value = {Kind::mixed};
    });
}

Symbol State::fresh(const Scalar& scalar, Definition definition) {
    symbols.push_back({scalar, definition});
    return static_cast<Symbol>(symbols.size() - 1);
}

Number State::number(const Scalar& scalar, Definition definition) {
    if (scalar.is_constant()) return Number::constant(scalar.u64.low);
    return Number{{fresh(scalar, definition), 0}};
}

Scalar State::bounds(const Term& term) const {
    if (term.symbol == zero_symbol) return Scalar::constant(delta_of(term));
    const Scalar& symbol = symbols[term.symbol].scalar;
    return term.delta == 0 ? symbol : analyser::add(symbol, Scalar::constant(delta_of(term)));
}

Interval<std::int64_t> State::range(const Term& term) const {
    const Scalar& own = symbols[term.symbol].scalar;
    if (!is_exact(own, term.delta)) return bounds(term).s64;
    Interval<std::int64_t> best = own.s64;
    if (term.symbol != zero_symbol) {
        for (const auto& [symbol, limit] : differences.reach(term.symbol, true)) {
            best.high = std::min(best.high, clamp(Wide{symbols[symbol].scalar.s64.high} + limit));
        }
        for (const auto& [symbol, limit] : differences.reach(term.symbol, false)) {
            best.low = std::max(best.low, clamp(Wide{symbols[symbol].scalar.s64.low} - limit));
        }
    }
    return {clamp(Wide{best.low} + term.delta), clamp(Wide{best.high} + term.delta)};
}

bool State::is_tame(const Term& term) const {
    const auto range = this->range(term);
    return is_exact(symbols[term.symbol].scalar, term.delta) && range.low >= -Differences::largest && range.high <= Differences::largest;
}

std::optional<std::int64_t> State::upper_difference(const Term& a, const Term& b) const {
    if (!is_exact(symbols[a.symbol].scalar, a.delta) || !is_exact(symbols[b.symbol].scalar, b.delta)) return std::nullopt;
    Wide best;
    if (a.symbol == b.symbol) {
        best = Wide{a.delta} - b.delta;
    } else {
        best = Wide{range(a).high} - range(b).low;
        if (const auto path = differences.path(a.symbol, b.symbol)) best = std::min(best, Wide{*path} + a.delta - b.delta);
    }
    if (!fits(best)) return std::nullopt;
    return static_cast<std::int64_t>(best);
}

bool State::is_never_zero(const Value& pointer) const {
    return range(pointer).inside(nonzero_offsets(pointer));
}

bool State::is_short_address(const Value& value, Platform platform) const {
    if (platform != Platform::guest || value.kind != Kind::packet || value.may_be_null()) return false;
    const auto low = upper_difference(Term{meta_start}, value.term()), high = upper_difference(value.term(), Term{packet_size});
    return low && *low <= 0 && high && *high <= 0;
}

Term State::add_terms(const Term& a, const Term& b) {
    if (b.symbol == zero_symbol) return a.moved(b.delta);
    if (a.symbol == zero_symbol) return b.moved(a.delta);
    if (const auto known = known_sum(a, b)) return *known;
    const Scalar result = analyser::add(bounds(a), bounds(b));
    if (!is_tame(a) || !is_tame(b)) return number(result);
    const Term sum = number(result, {Definition::Form::sum, a, b});
    if (sum.symbol == zero_symbol) return sum;
    (void)learn_definition(sum.symbol);  // an impossible state stays as it is, which is sound
    if (relates_shares) (void)(learn_part_of_way(sum, a, b) && learn_part_of_way(sum, b, a));
    return sum;
}

Term State::subtract_terms(const Term& a, const Term& b) {
    if (a.symbol == b.symbol) return constant(delta_of(a) - delta_of(b));
    if (b.symbol == zero_symbol) return a.moved(static_cast<std::int64_t>(0 - delta_of(b)));
    if (const auto known = known_difference(a, b)) return *known;
    Scalar result = analyser::subtract(bounds(a), bounds(b));
    if (!is_tame(a) || !is_tame(b)) return number(result);
    const auto high = upper_difference(a, b), low = upper_difference(b, a);
    if (high && low) result = meet(result, Scalar::signed_range(-*low, *high));
    if (result.is_bottom()) result = Scalar::top();  // an impossible state: any answer is sound
    const Term rest = number(result, {Definition::Form::difference, a, b});
    if (rest.symbol != zero_symbol) (void)learn_definition(rest.symbol);
    return rest;
}

// What is computed again is the same term, and a difference added to what was taken away gives the whole: equations modulo 2^64,
// so nothing has to be known of wrapping.
std::optional<Term> State::known_sum(const Term& a, const Term& b) const {
    const std::uint64_t deltas = delta_of(a) + delta_of(b);
    for (Symbol symbol = first_free_symbol; symbol < symbols.size(); ++symbol) {
        const auto& [form, left, right] = symbols[symbol].definition;
        const bool same = left.symbol == a.symbol && right.symbol == b.symbol, swapped = left.symbol == b.symbol && right.symbol == a.symbol;
        if (form == Definition::Form::sum && (same || swapped)) return Term{symbol, static_cast<std::int64_t>(deltas - delta_of(left) - delta_of(right))};
        const bool completes = (symbol == a.symbol && right.symbol == b.symbol) || (symbol == b.symbol && right.symbol == a.symbol);
        if (form == Definition::Form::difference && completes) return Term{left.symbol, static_cast<std::int64_t>(delta_of(left) - delta_of(right) + deltas)};
    }
    return std::nullopt;
}
std::optional<Term> State::known_difference(const Term& a, const Term& b) const {
    const std::uint64_t deltas = delta_of(a) - delta_of(b);
    for (Symbol symbol = first_free_symbol; symbol < symbols.size(); ++symbol) {
        const auto& [form, left, right] = symbols[symbol].definition;
        const auto rest = [&](const Term& other, std::uint64_t more) { return Term{other.symbol, static_cast<std::int64_t>(delta_of(other) + more)}; };
        if (form == Definition::Form::difference && left.symbol == a.symbol && right.symbol == b.symbol) return rest(Term{symbol}, deltas - delta_of(left) + delta_of(right));
        if (form != Definition::Form::sum || symbol != a.symbol) continue;
        if (left.symbol == b.symbol) return rest(right, delta_of(left) + deltas);
        if (right.symbol == b.symbol) return rest(left, delta_of(right) + deltas);
    }
    return std::nullopt;
}

// `part` of the way from `from` to some place, as a binary search goes: from + part <= place + c where part <= (place - from) + c.
bool State::learn_part_of_way(const Term& sum, const Term& from, const Term& part) {
    for (Symbol symbol = first_free_symbol; symbol < symbols.size(); ++symbol) {
        const Definition way = symbols[symbol].definition;
        if (way.form != Definition::Form::difference || way.right.symbol != from.symbol || symbol == part.symbol) continue;
        const auto beyond = upper_difference(part, Term{symbol});
        const Wide gap = -(Wide{beyond.value_or(0)} + from.delta - way.right.delta);
        if (!beyond || gap < -Differences::largest || gap > Differences::largest) continue;
        if (!learn_order(sum, way.left, static_cast<std::int64_t>(gap)) || !narrow_by_differences(sum)) return false;
    }
    return true;
}

void State::settle(Symbol symbol) { (void)(narrow_by_differences(Term{symbol}) && learn_definition(symbol)); }

bool State::narrow_by_differences(const Term& value) {
    const auto known = range(value);
    return narrow(value, Scalar::signed_range(known.low, known.high));
}

Number State::shifted_right(const Number& number_of, unsigned places, const Scalar& result) {
    const Number share = number(result);
    const Term part = share, of = number_of;
    const Definition& rounding = symbols[of.symbol].definition;
    const bool drops_more = rounding.form == Definition::Form::rounded && of.delta == 0 && rounding.right.delta < std::int64_t{1} << places;
    const Term whole = drops_more ? rounding.left : of;
    const Definition::Form form = symbols[whole.symbol].definition.form;
    if (!relates_shares || part.symbol == zero_symbol || whole.delta != 0 || !is_tame(whole)) return share;
    if (form == Definition::Form::difference) (void)learn_share(part, whole, places);
    else if (form == Definition::Form::sum && places == 1) (void)(learn_middle(part, symbols[whole.symbol].definition) && narrow_by_differences(part));
    return share;
}

Number State::rounded_down(const Number& whole, std::int64_t most, const Scalar& result) {
    if (!relates_shares || !is_tame(whole)) return number(result);
    const Number part = number(result, {Definition::Form::rounded, whole, constant(static_cast<std::uint64_t>(most))});
    if (!part.is_constant()) (void)learn_definition(part.symbol());
    return part;
}

// x - (x >> n) grows with x, where x is not negative.
bool State::learn_share(const Term& part, const Term& whole, unsigned places) {
    const auto range = this->range(whole);
    if (range.low < 0) return true;
    const auto rest = [&](std::int64_t x) { return x - (x >> places); };
    return learn_distance(whole, part, {rest(range.low), rest(range.high)});
}

// left <= right + c gives (left + right) >> 1 <= right + (c >> 1), and the other way round; the same from below.
bool State::learn_middle(const Term& middle, const Definition& sum) {
    for (const auto& [one, other] : {std::pair{sum.left, sum.right}, std::pair{sum.right, sum.left}}) {
        const auto above = upper_difference(one, other), below = upper_difference(other, one);
        if (above && std::abs(*above) < Differences::largest && !learn_order(middle, other, -(*above >> 1))) return false;
        if (below && std::abs(*below) < Differences::largest && !learn_order(other, middle, -(*below >> 1) - (*below & 1))) return false;
    }
    return true;
}

Value State::moved(const Value& pointer, const Number& by, bool backwards) {
    return pointer.at(backwards ? subtract_terms(pointer.term(), by) : add_terms(pointer.term(), by));
}

// The complement's term is -1 - offset: what is added to it is at that offset, or behind it by the sum + 1.
Number State::beyond(const Value& complement, const Value& pointer) {
    const Definition way = symbols[complement.symbol].definition;
    const bool known = complement.symbol != zero_symbol && way.form == Definition::Form::difference && way.left.symbol == zero_symbol;
    if (!known) return Number{add_terms(pointer.term(), complement.term())};
    return Number{subtract_terms(pointer.term(), way.right).moved(way.left.delta).moved(complement.delta)};
}

// --- learning -------------------------------------------------------------------------------------------------------------

bool State::narrow(const Term& term, const Scalar& scalar) {
    const Scalar moved = term.delta == 0 ? scalar : analyser::add(scalar, Scalar::constant(0 - delta_of(term)));
    Scalar& own = symbols[term.symbol].scalar;
    own = meet(own, moved);
    return !own.is_bottom();
}

// small - large <= -gap, by a test of the program: false if it is known to fail.
bool State::test_order(const Term& small, const Term& large, std::int64_t gap) {
    if (const auto reverse = upper_difference(large, small); reverse && *reverse < gap) return false;
    return learn_order(small, large, gap);
}

bool State::learn_order(const Term& small, const Term& large, std::int64_t gap) {
    if (!is_exact(symbols[small.symbol].scalar, small.delta) || !is_exact(symbols[large.symbol].scalar, large.delta)) return true;
    if (small.symbol == large.symbol) return true;
    if (small.symbol == zero_symbol && fits(Wide{small.delta} + gap)) return narrow(large, Scalar::signed_range(small.delta + gap, INT64_MAX));
    if (large.symbol == zero_symbol && fits(Wide{large.delta} - gap)) return narrow(small, Scalar::signed_range(INT64_MIN, large.delta - gap));
    if (small.symbol == zero_symbol || large.symbol == zero_symbol) return true;
    const Wide limit = Wide{large.delta} - small.delta - gap;
    if (fits(limit)) differences.add(small.symbol, large.symbol, static_cast<std::int64_t>(limit));
    return true;
}

bool State::learn_relation(Condition condition, bool holds, const Term& a, const Term& b) {
    switch (condition) {
        case Condition::gt:
        case Condition::sgt: return holds ? test_order(b, a, 1) : test_order(a, b, 0);
        case Condition::ge:
        case Condition::sge: return holds ? test_order(b, a, 0) : test_order(a, b, 1);
        case Condition::lt:
        case Condition::slt: return holds ? test_order(a, b, 1) : test_order(b, a, 0);
        case Condition::le:
        case Condition::sle: return holds ? test_order(a, b, 0) : test_order(b, a, 1);
        case Condition::eq:
        case Condition::ne:
            if (holds == (condition == Condition::eq)) return test_order(a, b, 0) && test_order(b, a, 0);
            if (const auto high = upper_difference(a, b); high && *high == 0 && !test_order(a, b, 1)) return false;
            if (const auto low = upper_difference(b, a); low && *low == 0 && !test_order(b, a, 1)) return false;
            return true;
        case Condition::set: return true;
    }
    __builtin_unreachable();
}

// distance.low <= a - b <= distance.high
bool State::learn_distance(const Term& a, const Term& b, const Interval<std::int64_t>& distance) {
    if (distance.low > -Differences::largest && !learn_order(b, a, distance.low)) return false;
    return distance.high >= Differences::largest || learn_order(a, b, -distance.high);
}

// What bounds of one of three terms say of the other two.
bool State::learn_definition(Symbol symbol) {
    const Definition definition = symbols[symbol].definition;
    const Term own{symbol}, &left = definition.left, &right = definition.right;
    const auto signed_bounds = [&](const Term& term) { return bounds(term).s64; };
    switch (definition.form) {
        case Definition::Form::none:
        case Definition::Form::shifted: return true;
        case Definition::Form::truncated: return learn_low_half(symbol, left);
        case Definition::Form::sum: return learn_distance(own, left, signed_bounds(right)) && learn_distance(own, right, signed_bounds(left));
        case Definition::Form::rounded: return learn_distance(left, own, {0, right.delta});
        case Definition::Form::difference: return learn_distance(left, right, symbols[symbol].scalar.s64) && learn_distance(left, own, signed_bounds(right));
    }
    __builtin_unreachable();
}

// Word and low half tell each other what is known of the low half; where the word fits, they are equal.
bool State::learn_low_half(Symbol symbol, const Term& whole) {
    Scalar low;
    const Scalar& own = symbols[symbol].scalar;
    low.u32 = own.u32;
    low.s32 = own.s32;
    low.bits = {own.bits.value & UINT32_MAX, own.bits.mask | ~std::uint64_t{UINT32_MAX}};
    if (!narrow(whole, low) || !narrow(Term{symbol}, zero_extend(bounds(whole), 4))) return false;
    if (!bounds(whole).fits_u32()) return true;
    return unite(symbol, whole);  // nothing was cut off
}

// The symbol is that term: one name is enough, with the differences of both.
bool State::unite(Symbol symbol, const Term& term) {
    const std::vector<Difference> edges = differences.edges();
    symbols[symbol].definition = {};
    substitute(symbol, term.symbol, term.delta);
    for (const Difference& edge : edges) {
        if (edge.left == symbol && !learn_order(term, Term{edge.right}, -edge.limit)) return false;
        if (edge.right == symbol && !learn_order(Term{edge.left}, term, -edge.limit)) return false;
    }
    return true;
}

bool State::learn_definitions(Symbol changed) {
    if (changed == zero_symbol) return true;
    for (Symbol symbol = first_free_symbol; symbol < symbols.size(); ++symbol) {
        const Definition& definition = symbols[symbol].definition;
        if (definition.form == Definition::Form::none) continue;
        if (symbol != changed && definition.left.symbol != changed && definition.right.symbol != changed) continue;
        if (!learn_definition(symbol)) return false;
    }
    return true;
}

// Bounds along differences; `narrowed` gets the symbols that have new ones.
bool State::propagate(std::vector<Symbol>& narrowed) {
    bool changed = true;
    const auto meet_into = [&](Symbol symbol, std::int64_t low, std::int64_t high) {
        Scalar& own = symbols[symbol].scalar;
        own = meet(own, Scalar::signed_range(low, high));
        narrowed.push_back(symbol);
        changed = true;
    };
    for (int round = 0; changed && round < 4; ++round) {
        changed = false;
        for (const Difference& edge : differences.edges()) {
            const Scalar &left = symbols[edge.left].scalar, &right = symbols[edge.right].scalar;
            const std::int64_t high = clamp(Wide{right.s64.high} + edge.limit), low = clamp(Wide{left.s64.low} - edge.limit);
            if (high < left.s64.high) meet_into(edge.left, INT64_MIN, high);
            if (low > right.s64.low) meet_into(edge.right, low, INT64_MAX);
            if (left.is_bottom() || right.is_bottom()) return false;
        }
    }
    return true;
}

// What new bounds say of sums and distances, and these of their parts: once.
bool State::propagate() {
    std::vector<Symbol> narrowed, again;
    if (!propagate(narrowed)) return false;
    std::sort(narrowed.begin(), narrowed.end());
    narrowed.erase(std::unique(narrowed.begin(), narrowed.end()), narrowed.end());
    for (const Symbol symbol : narrowed) {
        if (symbol >= first_free_symbol && !learn_definitions(symbol)) return false;
    }
    return narrowed.empty() || propagate(again);
}

bool State::assume(Condition condition, unsigned width, bool holds, const Term& a, const Term& b) {
    Scalar x = bounds(a), y = bounds(b);
    analyser::assume(condition, width, holds, x, y);
    if (x.is_bottom() || y.is_bottom() || !narrow(a, x) || !narrow(b, y)) return false;
    const bool is_signed = condition == Condition::sgt || condition == Condition::sge || condition == Condition::slt || condition == Condition::sle;
    const bool equality = condition == Condition::eq || condition == Condition::ne;
    const bool positive = x.s64.low >= 0 && y.s64.low >= 0;
    bool as_integers = positive || is_signed || equality;
    if (width == 32) as_integers = (x.fits_u32() && y.fits_u32() && (!is_signed || (x.fits_s32() && y.fits_s32()))) || (is_signed && x.fits_s32() && y.fits_s32());
    if (as_integers && !learn_relation(condition, holds, a, b)) return false;
    if (!learn_definitions(a.symbol) || !learn_definitions(b.symbol) || !propagate() || !fold_constants()) return false;
    if (!attempts.empty()) end_attempts();
    return true;
}

// Results of attempts are 0 or small negative numbers, so the low half says which.
void State::end_attempts() {
    std::erase_if(attempts, [&](const Attempt& attempt) {
        const auto low = bounds(attempt.result.term()).u32;
        if (low.high == 0) frames[attempt.frame].fill(attempt.start, attempt.bytes);
        return low.high == 0 || low.low > 0;
    });
}

void State::forget_attempts(std::uint64_t frame, unsigned start, unsigned bytes) {
    std::erase_if(attempts, [&](const Attempt& attempt) { return attempt.frame == frame && attempt.start < start + bytes && start < attempt.start + attempt.bytes; });
}

void State::substitute(Symbol symbol, Symbol by, std::int64_t delta) {
    const auto replace = [&](Term& term) {
        if (term.symbol == symbol) term = Term{by, term.delta}.moved(delta);
    };
    each_value([&](Value& value) {
        Term term = value.term();
        replace(term);
        value = value.at(term);
    });
    for (SymbolInfo& info : symbols) {
        if (info.definition.form == Definition::Form::none) continue;
        replace(info.definition.left);
        replace(info.definition.right);
    }
}

// Symbols that became constants are replaced; their edges have been turned into bounds by `propagate`.
bool State::fold_constants() {
    for (Symbol symbol = first_free_symbol; symbol < symbols.size(); ++symbol) {
        SymbolInfo& info = symbols[symbol];
        if (info.scalar.is_bottom()) return false;
        if (!info.scalar.is_constant() || info.definition.form == Definition::Form::none) continue;
        if (!learn_definition(symbol)) return false;
        symbols[symbol].definition = {};
    }
    each_value([&](Value& value) {
        if (value.symbol < first_free_symbol || !symbols[value.symbol].scalar.is_constant()) return;
        const auto constant = static_cast<std::int64_t>(symbols[value.symbol].scalar.u64.low);
        value.symbol = zero_symbol;
        value = value.moved(constant);
    });
    return true;
}

void State::assume_null(Symbol nullable, bool is_null) {
    each_value([&](Value& value) {
        if (value.nullable != nullable) return;
        if (is_null) value = Value::constant(0);
        else value.nullable = no_symbol;
    });
    if (is_null) std::erase_if(references, [&](const Reference& one) { return one.nullable == nullable; });
    for (Reference& one : references) {
        if (one.nullable == nullable) one.nullable = no_symbol;
    }
}

void State::compact() {
    std::vector<Symbol> renamed(symbols.size(), no_symbol);
    std::vector<SymbolInfo> kept(symbols.begin(), symbols.begin() + first_free_symbol);
    for (Symbol symbol = 0; symbol < first_free_symbol; ++symbol) renamed[symbol] = symbol;
    const auto keep = [&](Symbol& symbol) {
        if (symbol == no_symbol) return;
        if (renamed[symbol] == no_symbol) {
            renamed[symbol] = static_cast<Symbol>(kept.size());
            kept.push_back(symbols[symbol]);
        }
        symbol = renamed[symbol];
    };
    each_value([&](Value& value) {
        keep(value.symbol);
        keep(value.nullable);
    });
    for (Reference& one : references) keep(one.nullable);
    for (Symbol symbol = first_free_symbol; symbol < renamed.size(); ++symbol) {
        const auto& [form, left, right] = symbols[symbol].definition;
        const bool is_remainder = form == Definition::Form::difference && left.symbol == packet_size && renamed[right.symbol] != no_symbol;
        if (Symbol kept_as = symbol; is_remainder && renamed[symbol] == no_symbol) keep(kept_as);
    }
    for (Symbol symbol = 0; symbol < renamed.size(); ++symbol) {
        if (renamed[symbol] == no_symbol) differences.forget(symbol);
    }
    differences.each_edge([&](Difference& edge) { edge = {renamed[edge.left], renamed[edge.right], edge.limit}; });
    for (SymbolInfo& info : kept) {
        Definition& definition = info.definition;
        if (definition.form == Definition::Form::none) continue;
        const Symbol left = renamed[definition.left.symbol], right = renamed[definition.right.symbol];
        if (left == no_symbol || right == no_symbol) definition = {};
        else definition.left.symbol = left, definition.right.symbol = right;
    }
    symbols = std::move(kept);
    compact_at_ = 2 * symbols.size() + 64;
}

}  // namespace unibpf::analyser
