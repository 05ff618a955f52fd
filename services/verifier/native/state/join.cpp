// Join and widening of states.
//
// A location (register, cell, counter) has a term on each side. Locations whose terms have the same symbols and the same
// distance on both sides form a class and get one symbol in the result, so equalities and constant distances that hold on both
// sides survive without any constraint being written down (for example `p = data + 14 + i` around a loop over i). Differences
// are then taken over for pairs of classes that are related on either side, for packet offsets against the packet's size, and at
// loop heads for counters against everything: the bounds alone may imply on each side what neither implies for the join.
#include <algorithm>
#include <unordered_map>

#include "services/verifier/native/domains/widening.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t negate(std::uint64_t x) { return 0 - x; }

// One class: `symbol` of the result stands for left.symbol + base in a and right term + base - distance in b.
struct Class {
    Value left, right;  // what the result's symbol is on each side
    Symbol symbol;
    bool is_offset = false;   // of a packet pointer
    bool is_counter = false;
    bool is_number = false;
};

struct Key {
    Symbol left, right;
    std::uint64_t distance;
    bool operator==(const Key&) const = default;
};
struct KeyHash {
    std::size_t operator()(const Key& key) const {
        return (key.left * 0x9e3779b97f4a7c15ULL) ^ (key.right * 0xc2b2ae3d27d4eb4fULL) ^ (key.distance * 0x165667b19e3779f9ULL);
    }
};

class Joiner {
  public:
    Joiner(const State& a, const State& b, const JoinOptions& options) : a_{a}, b_{b}, options_{options} {}

    State run() {
        out_.relates_shares = a_.relates_shares;
        for (Symbol symbol = 0; symbol < first_free_symbol; ++symbol) fixed_class(symbol);
        for (unsigned i = 0; i < register_count; ++i) out_.registers[i] = value(a_.registers[i], b_.registers[i]);
        for (std::size_t i = 0; i < a_.saved.size(); ++i) join_saved(a_.saved[i], b_.saved[i]);
        for (std::size_t i = 0; i < a_.frames.size(); ++i) join_frame(a_.frames[i], b_.frames[i]);
        join_callbacks();
        join_counters();
        join_references();
        join_definitions();
        join_remainders();
        out_.lock = lock(a_.lock, b_.lock);
        join_differences();
        for (const std::uint32_t i : remainders_) out_.settle(classes_[i].symbol);
        return std::move(out_);
    }

  private:
    void fixed_class(Symbol symbol) {
        const Scalar left = a_.symbols[symbol].scalar, joined = join(left, b_.symbols[symbol].scalar);
        out_.symbols.push_back({options_.widen ? widen(left, joined, options_.thresholds) : joined});
        out_.symbols.back().scalar.normalise();
        if (symbol == packet_size) {
            out_.symbols.back().scalar = meet(out_.symbols.back().scalar, Scalar::unsigned_range(0, largest_packet));
        }
        found_.emplace(Key{symbol, symbol, 0}, static_cast<std::uint32_t>(classes_.size()));
        classes_.push_back({Value::number(symbol), Value::number(symbol), symbol});
    }

    // The class of a pair of terms, made if new; gives the term in the result.
    Value term(const Value& left, const Value& right, Class** found = nullptr) {
        const std::uint64_t distance = static_cast<std::uint64_t>(left.delta) - static_cast<std::uint64_t>(right.delta);
        const Key key{left.symbol, right.symbol, distance};
        const auto [place, is_new] = found_.try_emplace(key, static_cast<std::uint32_t>(classes_.size()));
        if (is_new) add_class(left, right, distance);
        Class& entry = classes_[place->second];
        if (found != nullptr) *found = &entry;
        return Value::number(entry.symbol).moved(static_cast<std::int64_t>(static_cast<std::uint64_t>(left.delta) - entry.left.constant()));
    }

    void add_class(const Value& left, const Value& right, std::uint64_t distance) {
        // Constants have no symbol to keep: the class stands for the value that was seen first.
        const std::int64_t base = left.symbol == zero_symbol ? left.delta : 0;
        Class entry{Value::number(left.symbol, base), Value::number(right.symbol).moved(base).moved(static_cast<std::int64_t>(negate(distance))), 0};
        const Scalar old = a_.bounds(entry.left.term()), joined = join(old, b_.bounds(entry.right.term()));
        Scalar scalar = options_.widen ? widen(old, joined, options_.thresholds) : joined;
        scalar.normalise();
        entry.symbol = out_.fresh(scalar);
        classes_.push_back(entry);
    }

    Value value(const Value& left, const Value& right) {
        if (left.kind == Kind::packet_address && right.kind == Kind::packet_address && ((left.object ^ right.object) & from_before) == 0) {
            return same_kind(left, right);
        }
        if (left.kind == right.kind && (left.object == right.object || left.is_set())) return same_kind(left, right);
        if (left.kind == Kind::uninitialised || right.kind == Kind::uninitialised) return {};
        // A null pointer on one side, a pointer that may be null on the other or not.
        if (left.is_null() && can_be_null(right.kind)) return with_null(b_, right, false);
        if (right.is_null() && can_be_null(left.kind)) return with_null(a_, left, true);
        return {Kind::mixed};
    }

    static bool can_be_null(Kind kind) { return kind >= Kind::packet && kind != Kind::stack; }

    Value same_kind(const Value& left, const Value& right) {
        if (left.kind == Kind::uninitialised || left.kind == Kind::mixed) return left;
        if (left.kind == Kind::context && !(left == right)) return {Kind::mixed};  // offsets into the context are constants
        const bool may_be_null = left.may_be_null() || right.may_be_null();
        if (may_be_null && !(has_witness(a_, left) && has_witness(b_, right))) return {Kind::mixed};
        Class* entry = nullptr;
        Value result = term(left, right, &entry);
        entry->is_offset |= left.kind == Kind::packet;
        entry->is_number |= left.kind == Kind::number;
        result.kind = left.kind;
        const bool unites = left.is_set() || left.kind == Kind::packet_address;  // half an address on one side is half of one
        result.object = unites ? left.object | right.object : left.object;
        result.identity = identity(left, right);
        if (may_be_null) result.nullable = nullable(left.nullable, right.nullable);
        return result;
    }

    // Names of values only say which registers hold the same: each pair of names is a name that neither side has yet.
    Site identity(const Value& left, const Value& right) {
        if (left.kind == Kind::map_value) return same_value(left.identity, right.identity);
        return left.identity == right.identity ? left.identity : no_site;
    }
    Site same_value(Site left, Site right) {
        if (left == right || left == no_site || right == no_site) return left == right ? left : no_site;
        for (const auto& [l, r, site] : names_) {
            if (l == left && r == right) return site;
        }
        if (names_.empty()) last_name_ = std::max(last_joined_name(a_), last_joined_name(b_));
        if (last_name_ == UINT32_MAX) return no_site;
        names_.push_back({left, right, ++last_name_});
        return last_name_;
    }
    static Site last_joined_name(const State& state) {
        Site last = std::max(joined_names, state.lock.identity);
        state.each_value([&](const Value& value) { last = std::max(last, value.identity); });
        return last;
    }

    Lock lock(const Lock& left, const Lock& right) {
        if (left == right) return left;
        const Site both = left.held == Lock::Held::yes && right.held == Lock::Held::yes ? same_value(left.identity, right.identity) : no_site;
        return both == no_site ? Lock{Lock::Held::some, no_site} : Lock{Lock::Held::yes, both};
    }

    // A witness says "not null" exactly where the register is not 0: of an address that may be 0 nothing can say that.
    static bool has_witness(const State& side, const Value& pointer) { return pointer.may_be_null() || side.is_never_zero(pointer); }

    // The offset counts only where the pointer is not null, which it is on one side only; only constants are kept.
    Value with_null(const State& side, const Value& pointer, bool null_is_right) {
        if (pointer.symbol != zero_symbol || !has_witness(side, pointer)) return {Kind::mixed};
        Value result = pointer;
        result.nullable = null_is_right ? nullable(pointer.nullable, null_here) : nullable(null_here, pointer.nullable);
        return result;
    }

    static constexpr Symbol null_here = no_symbol - 1;  // in a pair of witnesses: null, or not held

    // Witness symbols only need identity: the same pair of witnesses is the same witness.
    Symbol nullable(Symbol left, Symbol right) {
        for (const auto& [l, r, symbol] : witnesses_) {
            if (l == left && r == right) return symbol;
        }
        const Symbol symbol = out_.fresh(Scalar::unsigned_range(0, 1));
        witnesses_.push_back({left, right, symbol});
        return symbol;
    }

    void join_saved(const std::array<Value, 4>& left, const std::array<Value, 4>& right) {
        auto& set = out_.saved.emplace_back();
        for (unsigned i = 0; i < set.size(); ++i) set[i] = value(left[i], right[i]);
    }

    // Cells of equal extent are joined; others fall back to `data`.
    void join_frame(const Frame& left, const Frame& right) {
        Frame& frame = out_.frames.emplace_back();
        frame.data() = left.data() & right.data();
        auto other = right.cells().begin();
        for (const Cell& cell : left.cells()) {
            while (other != right.cells().end() && other->start < cell.start) ++other;
            if (other == right.cells().end()) break;
            if (other->start != cell.start || other->bytes != cell.bytes) continue;
            const Value joined = value(cell.value, other->value);
            if (!joined.is_readable()) continue;
            if (joined.is_pointer() || joined.kind == Kind::mixed) {
                for (unsigned i = cell.start; i < unsigned{cell.start} + cell.bytes; ++i) frame.data()[i] = false;
            }
            frame.cells().push_back({cell.start, cell.bytes, joined});
        }
    }

    void join_callbacks() {
        for (std::size_t i = 0; i < a_.callbacks.size(); ++i) {
            const Callback &left = a_.callbacks[i], &right = b_.callbacks[i];
            out_.callbacks.push_back({value(left.limit, right.limit), value(left.context, right.context), value(left.map, right.map), left.is_exact && right.is_exact});
        }
    }

    // What one side holds and the other does not is held where its witness says so.
    void join_references() {
        for (const Reference& left : a_.references) {
            const Reference* right = b_.reference(left.site);
            add_reference(left, right == nullptr ? left.bytes : right->bytes, {left.nullable, right == nullptr ? null_here : right->nullable});
        }
        for (const Reference& right : b_.references) {
            if (a_.reference(right.site) == nullptr) add_reference(right, right.bytes, {null_here, right.nullable});
        }
        std::sort(out_.references.begin(), out_.references.end(), [](const Reference& x, const Reference& y) { return x.site < y.site; });
    }
    void add_reference(Reference reference, std::int64_t bytes, const std::pair<Symbol, Symbol>& held) {
        reference.bytes = std::min(reference.bytes, bytes);
        const bool surely = held.first == no_symbol && held.second == no_symbol;
        reference.nullable = surely ? no_symbol : nullable(held.first, held.second);
        out_.references.push_back(reference);
    }

    void join_counters() {
        for (std::size_t i = 0; i < a_.counters.size(); ++i) {
            out_.counters.push_back({a_.counters[i].head, counter(a_.counters[i].up, b_.counters[i].up), counter(a_.counters[i].down, b_.counters[i].down)});
        }
    }
    Value counter(const Value& left, const Value& right) {
        Class* entry = nullptr;
        const Value result = term(left, right, &entry);
        entry->is_counter = true;
        return result;
    }

    // --- definitions: one that both sides have is one of the result, if its operands have names there

    void join_definitions() {
        for (std::size_t i = first_free_symbol; i < classes_.size(); ++i) {
            const Class& entry = classes_[i];
            if (entry.left.symbol == zero_symbol || entry.right.symbol == zero_symbol) continue;
            const Definition &left = a_.symbols[entry.left.symbol].definition, &right = b_.symbols[entry.right.symbol].definition;
            if (left.form == Definition::Form::none || left.form != right.form) continue;
            if (auto both = definition(left, right, entry.right.delta)) out_.symbols[entry.symbol].definition = *both;
        }
    }
    // What the right one defines stands `moved` bytes further: where the sum wraps there and its parts do not, it is no sum of integers.
    std::optional<Definition> definition(const Definition& left, const Definition& right, std::int64_t moved) const {
        const bool adds = left.form == Definition::Form::sum || left.form == Definition::Form::difference;
        if (!adds && moved != 0) return std::nullopt;
        const Term part = right.left.moved(moved);
        if (adds && !(b_.is_tame(part) && b_.is_tame(right.right))) return std::nullopt;
        if (auto same = operands(left, part, right.right)) return same;
        return left.form == Definition::Form::sum ? operands(left, right.right, part) : std::nullopt;
    }
    std::optional<Definition> operands(const Definition& definition, const Term& left, const Term& right) const {
        const auto first = known_term(definition.left, left), second = known_term(definition.right, right);
        if (!first || !second) return std::nullopt;
        return Definition{definition.form, *first, *second};
    }
    std::optional<Term> known_term(const Term& left, const Term& right) const {
        const std::uint64_t delta = static_cast<std::uint64_t>(left.delta);
        const auto found = found_.find({left.symbol, right.symbol, delta - static_cast<std::uint64_t>(right.delta)});
        if (found == found_.end()) return std::nullopt;
        const Class& entry = classes_[found->second];
        return Term{entry.symbol, static_cast<std::int64_t>(delta - entry.left.constant())};
    }

    // --- what is left of the packet beyond a pointer, if both sides have computed it: a loop's guard may speak of that alone
    // (`n < end - p` instead of a test of each byte), and it falls as a counter falls

    void join_remainders() {
        const std::size_t count = classes_.size();
        for (std::size_t i = first_free_symbol; i < count; ++i) {
            if (!classes_[i].is_offset) continue;
            const auto left = remainder(a_, classes_[i].left), right = remainder(b_, classes_[i].right);
            if (left && right) add_remainder(classes_[i].symbol, *left, *right);
        }
    }
    // At a loop's head, constant offsets have begun to grow; that matters where a number was compared with what is left.
    std::optional<Value> remainder(const State& side, const Value& offset) const {
        const Value size = Value::number(packet_size);
        if (!side.is_tame(offset.term())) return std::nullopt;
        if (offset.symbol == zero_symbol && options_.relate_counters && compares_with_rest()) return size.moved(static_cast<std::int64_t>(negate(offset.constant())));
        if (offset.symbol < first_free_symbol) return std::nullopt;
        const auto rest = side.known_difference(size.term(), offset.term());
        return rest ? std::optional{Value::number(rest->symbol, rest->delta)} : std::nullopt;
    }
    bool compares_with_rest() const {
        return std::any_of(a_.differences.edges().begin(), a_.differences.edges().end(), [&](const Difference& edge) {
            return edge.right == packet_size && std::any_of(classes_.begin(), classes_.end(), [&](const Class& entry) {
                       return entry.left.symbol == edge.left && entry.is_number && !entry.is_offset;
                   });
        });
    }
    void add_remainder(Symbol offset, const Value& left, const Value& right) {
        Class* entry = nullptr;
        const Value rest = term(left, right, &entry);
        if (entry->symbol < first_free_symbol || out_.symbols[entry->symbol].definition.form != Definition::Form::none) return;
        out_.symbols[entry->symbol].definition = {Definition::Form::difference, Term{packet_size}, Term{offset}.moved(rest.delta)};
        entry->is_number = true;
        remainders_.push_back(static_cast<std::uint32_t>(entry - classes_.data()));
    }

    // --- differences

    void join_differences() {
        by_left_.assign(a_.symbols.size(), {});
        by_right_.assign(b_.symbols.size(), {});
        for (std::uint32_t i = 0; i < classes_.size(); ++i) {
            by_left_[classes_[i].left.symbol].push_back(i);
            by_right_[classes_[i].right.symbol].push_back(i);
        }
        for (const Difference& edge : a_.differences.edges()) relate_all(by_left_[edge.left], by_left_[edge.right]);
        for (const Difference& edge : b_.differences.edges()) relate_all(by_right_[edge.left], by_right_[edge.right]);
        for (std::uint32_t i = first_free_symbol; i < classes_.size(); ++i) {
            if (classes_[i].is_offset) relate(i, packet_size), relate(meta_start, i);
        }
        if (!options_.relate_counters || options_.widen) return;  // widening only keeps what is written down
        for (std::uint32_t i = first_free_symbol; i < classes_.size(); ++i) {
            if (!classes_[i].is_counter) continue;
            for (std::uint32_t j = first_free_symbol; j < classes_.size() && j < 48; ++j) {
                if (i != j && changes(classes_[j])) relate(i, j), relate(j, i);
            }
        }
        relate_changing();
        for (const std::uint32_t i : remainders_) {
            for (std::uint32_t j = first_free_symbol; j < classes_.size() && j < 48; ++j) {
                if (classes_[j].is_number && changes(classes_[j])) relate(i, j), relate(j, i);
            }
        }
    }

    // A variable that the loop moves and those that it may be compared with.
    void relate_changing() {
        for (std::uint32_t i = first_free_symbol; i < classes_.size() && i < 32; ++i) {
            if (!changes(classes_[i]) || !(classes_[i].is_number || classes_[i].is_offset)) continue;
            for (std::uint32_t j = first_free_symbol; j < classes_.size() && j < 32; ++j) {
                if (i != j && !classes_[j].is_counter) relate(i, j), relate(j, i);
            }
        }
    }

    // Not the same term on both sides.
    static bool changes(const Class& entry) { return !(entry.left == entry.right); }

    void relate_all(const std::vector<std::uint32_t>& from, const std::vector<std::uint32_t>& to) {
        if (from.size() * to.size() > 64) return;
        for (const std::uint32_t i : from) {
            for (const std::uint32_t j : to) relate(i, j);
        }
    }

    void relate(std::uint32_t i, std::uint32_t j) {
        const Class &x = classes_[i], &y = classes_[j];
        if (x.symbol == y.symbol || x.symbol == zero_symbol || y.symbol == zero_symbol) return;
        const auto left = a_.upper_difference(x.left, y.left);
        if (!left) return;
        const auto right = b_.upper_difference(x.right, y.right);
        if (!right) return;
        std::int64_t limit = std::max(*left, *right);
        if (options_.widen && *right > *left) {
            if (limit > 0) return;
            limit = limit == 0 ? 0 : -1;  // the thresholds that guards like `i < n` and `i != n` need
        }
        const bool loop_relation = options_.relate_counters && (changes(x) || changes(y));
        if (loop_relation) return out_.differences.add(x.symbol, y.symbol, limit);
        std::int64_t implied;
        const bool wraps = __builtin_sub_overflow(out_.symbols[x.symbol].scalar.s64.high, out_.symbols[y.symbol].scalar.s64.low, &implied);
        if (!wraps && implied <= limit) return;
        out_.differences.add(x.symbol, y.symbol, limit);
    }

    const State &a_, &b_;
    const JoinOptions& options_;
    State out_;
    std::vector<Class> classes_;
    std::unordered_map<Key, std::uint32_t, KeyHash> found_;
    struct Witness {
        Symbol left, right, symbol;
    };
    std::vector<Witness> witnesses_;
    struct Name {
        Site left, right, site;
    };
    std::vector<Name> names_;
    std::vector<std::uint32_t> remainders_;  // classes
    Site last_name_ = joined_names;
    std::vector<std::vector<std::uint32_t>> by_left_, by_right_;
};

}  // namespace

State join(const State& a, const State& b, const JoinOptions& options) { return Joiner{a, b, options}.run(); }

}  // namespace unibpf::analyser
