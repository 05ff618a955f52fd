// Each symbol of the claimed state must stand for a term of the found one, each of its witnesses for one of it (or for "there",
// or "gone"), so that every place agrees, every Word covers its term's and every edge follows.
#include "services/signer/native/verdict/entailment.hpp"

#include <map>
#include <optional>
#include <vector>

namespace unibpf::certificate {
namespace {

class Entailment {
  public:
    Entailment(const State& found, const State& claimed) : found_{found}, claimed_{claimed}, image_(claimed.symbols.size()), witness_(claimed.next_witness) {}

    const char* run() {
        for (Symbol fixed = 0; fixed < first_free; ++fixed) {
            image_[fixed] = Term{fixed, 0};
            if (!covers(fixed)) return "the packet's size";
        }
        for (unsigned i = 0; i < register_count; ++i) {
            if (!value(found_.reg[i], claimed_.reg[i])) return registers[i];
        }
        if (!saved()) return "a caller's register";
        if (!frames()) return "the stack";
        if (!callbacks()) return "a callback";
        if (!loops()) return "how often a loop ran";
        if (!held()) return "what must be given back";
        if (!lock()) return "the lock that is held";
        if (!definitions()) return "how a number came to be";
        return edges() ? nullptr : "a difference of two numbers";
    }

  private:
    static constexpr const char* registers[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10"};
    static constexpr Witness there = UINT32_MAX, gone = UINT32_MAX - 1;

    bool covers(Symbol symbol) const {
        const Word& wanted = claimed_.symbols[symbol].word;
        const Term image = *image_[symbol];
        Word word = found_.word(image);
        if (wanted.covers(word)) return true;
        const auto range = found_.range(image);
        return range.low > range.high || !word.meet(Word::signed_between(range.low, range.high)) || wanted.covers(word);
    }

    bool same(Term a, Term b) const {
        if (a == b) return true;
        const auto more = found_.gap(a, b), less = found_.gap(b, a);
        return more && less && *more <= 0 && *less <= 0;
    }

    bool term(Term inner, Term outer) {
        const Term image = found_.settled(found_.settled(inner).minus(outer.offset));
        auto& known = image_[outer.symbol];
        if (known) return same(image, found_.settled(*known));
        known = image;
        return covers(outer.symbol);
    }

    bool witness(Witness inner, Witness outer) {
        auto& known = witness_[outer];
        if (!known) known = inner;
        return *known == inner;
    }
    bool present(Witness inner, Witness outer) {
        if (outer == always) return inner == always;
        return witness(inner == always ? there : inner, outer);
    }

    bool value(const Value& inner, const Value& outer) {
        if (outer.kind == Kind::unset) return true;
        if (inner.kind == Kind::unset) return false;
        if (outer.kind == Kind::unknown) return true;
        if (outer.may_be_null() && inner.is_number()) {
            const auto number = found_.constant(inner);
            return number && *number == 0 && witness(gone, outer.witness);
        }
        if (inner.kind != outer.kind || !objects(inner, outer) || !term(inner.term, outer.term)) return false;
        return same_identity(inner, outer) && present(inner.witness, outer.witness);
    }

    // The low half of an address is less than the address: a whole one is its own lower half, modulo 2^32.
    static bool objects(const Value& inner, const Value& outer) {
        if (outer.is_set()) return (inner.object & ~outer.object) == 0;
        if (outer.kind == Kind::stale_packet) return ((inner.object ^ outer.object) & moved) == 0 && (inner.object & half) <= (outer.object & half);
        return inner.object == outer.object || outer.kind == Kind::number;
    }

    // Of values 0 says that nobody knows; of keys it is the frame that may use them.
    bool same_identity(const Value& inner, const Value& outer) {
        if (outer.kind == Kind::map_value) return outer.identity == 0 || label(inner.identity, outer.identity);
        return outer.kind != Kind::map_key || outer.identity == inner.identity;
    }
    // A name of the claimed state stands for one label of the found one, wherever it is met.
    bool label(std::uint64_t inner, std::uint64_t outer) {
        if (!is_name(outer)) return inner == outer;
        return inner != 0 && names_.try_emplace(outer, inner).first->second == inner;
    }

    bool saved() {
        for (std::size_t i = 0; i < claimed_.saved.size(); ++i) {
            for (std::size_t k = 0; k < 4; ++k) {
                if (!value(found_.saved[i][k], claimed_.saved[i][k])) return false;
            }
        }
        return found_.saved.size() == claimed_.saved.size();
    }

    bool frames() {
        if (found_.frames.size() != claimed_.frames.size()) return false;
        for (std::size_t i = 0; i < claimed_.frames.size(); ++i) {
            const Frame &inner = found_.frames[i], &outer = claimed_.frames[i];
            if ((outer.numbers & ~inner.numbers).any()) return false;
            for (const Cell& cell : outer.cells) {
                const Cell* other = inner.exact(cell.start, cell.bytes);
                if (other != nullptr ? !value(other->value, cell.value) : !part(inner, cell)) return false;
            }
        }
        return true;
    }
    // Bytes that were stored with others: a part of a constant, or some number.
    bool part(const Frame& inner, const Cell& cell) {
        if (!cell.value.is_number() || !inner.all_numbers(cell.start, cell.bytes)) return false;
        const Cell* whole = inner.around(cell.start, cell.bytes);
        const auto number = whole == nullptr ? std::nullopt : found_.constant(whole->value);
        if (!number) return false;
        const std::uint64_t word = *number >> (8 * (cell.start - whole->start));
        return value(Value::constant(cell.bytes == 8 ? word : word & ((std::uint64_t{1} << (8 * cell.bytes)) - 1)), cell.value);
    }

    bool ghost(const Ghost& inner, const Ghost& outer) { return term(inner.up.term, outer.up.term) && term(inner.down.term, outer.down.term); }

    bool callbacks() {
        if (found_.callbacks.size() != claimed_.callbacks.size()) return false;
        for (std::size_t i = 0; i < claimed_.callbacks.size(); ++i) {
            const Callback &inner = found_.callbacks[i], &outer = claimed_.callbacks[i];
            if (inner.function != outer.function || (outer.exact && !inner.exact)) return false;
            if (!value(inner.limit, outer.limit) || !value(inner.context, outer.context) || !value(inner.map, outer.map) || !ghost(inner.rounds, outer.rounds)) return false;
        }
        return true;
    }

    bool loops() {
        if (found_.loops.size() != claimed_.loops.size()) return false;
        for (std::size_t i = 0; i < claimed_.loops.size(); ++i) {
            if (!ghost(found_.loops[i].rounds, claimed_.loops[i].rounds)) return false;
        }
        return true;
    }

    bool held() {
        for (const Held& inner : found_.held) {
            if (claimed_.find_held(inner.call) == nullptr) return false;
        }
        for (const Held& outer : claimed_.held) {
            const Held* inner = found_.find_held(outer.call);
            if (inner != nullptr ? inner->bytes < outer.bytes || !present(inner->witness, outer.witness) : outer.witness == always || !witness(gone, outer.witness)) return false;
        }
        return true;
    }

    bool lock() {
        if (claimed_.locked == Locked::unknown) return true;
        if (found_.locked != claimed_.locked) return false;
        return claimed_.locked == Locked::no || label(found_.lock, claimed_.lock);
    }

    // Numbers that nothing but their definition names, as what is left of the packet, are what was computed so.
    bool definitions() {
        for (Symbol symbol = first_free; symbol < claimed_.symbols.size(); ++symbol) {
            const Origin& origin = claimed_.symbols[symbol].origin;
            if (origin.form == Origin::Form::none) continue;
            if (!image_[origin.left.symbol] || !image_[origin.right.symbol]) return false;
            const Term left = image(origin.left), right = image(origin.right);
            if (origin.form == Origin::Form::sum || origin.form == Origin::Form::difference ? !computed(symbol, origin.form, left, right) : !derived(symbol, origin.form, left, right)) return false;
        }
        return true;
    }
    Term image(Term claimed) const { return found_.settled(image_[claimed.symbol]->plus(claimed.offset)); }

    // Equal modulo 2^64, and small numbers do not wrap: so equal as integers.
    bool computed(Symbol symbol, Origin::Form form, Term left, Term right) {
        const bool adds = form == Origin::Form::sum;
        if (!found_.small(left) || !found_.small(right)) return false;
        if (image_[symbol] && came_from(*image_[symbol], form, left, right)) return true;
        std::optional<Term> result = adds ? found_.known_sum(left, right) : found_.known_difference(left, right);
        if (right.symbol == zero) result = adds ? left.plus(right.offset) : left.minus(right.offset);
        else if (adds && left.symbol == zero) result = right.plus(left.offset);
        else if (!adds && left.symbol == right.symbol) result = Term{zero, left.offset}.minus(right.offset);
        return result && term(*result, {symbol, 0});
    }
    bool came_from(Term term, Origin::Form form, Term left, Term right) const {
        const Origin& origin = found_.symbols[term.symbol].origin;
        const bool adds = form == Origin::Form::sum;
        const bool straight = origin.left.symbol == left.symbol && origin.right.symbol == right.symbol;
        const bool crossed = adds && origin.left.symbol == right.symbol && origin.right.symbol == left.symbol;
        const auto whole = [&](Term a, Term b) { return adds ? a.plus(b.offset).offset : a.minus(b.offset).offset; };
        return origin.form == form && (straight || crossed) && whole(origin.left.plus(term.offset), origin.right) == whole(left, right);
    }
    // A low half, or a number without its lowest bits.
    bool derived(Symbol symbol, Origin::Form form, Term left, Term right) const {
        if (!image_[symbol]) return false;
        const Term own = found_.settled(*image_[symbol]);
        const Origin& origin = found_.symbols[own.symbol].origin;
        if (own.offset == 0 && origin.form == form && same(found_.settled(origin.left), left) && origin.right == right) return true;
        return form == Origin::Form::low_half && own == left && found_.word(left).u.high <= UINT32_MAX;
    }

    bool edges() const {
        for (const Edge& edge : claimed_.edges) {
            if (!image_[edge.a] || !image_[edge.b]) return false;
            const auto most = found_.gap(*image_[edge.a], *image_[edge.b]);
            if (!most || *most > edge.most) return false;
        }
        return true;
    }

    const State &found_, &claimed_;
    std::vector<std::optional<Term>> image_;
    std::vector<std::optional<Witness>> witness_;
    std::map<std::uint64_t, std::uint64_t> names_;  // labels of the found state by names of the claimed one
};

}  // namespace

const char* what_does_not_follow(const State& found, const State& claimed) { return Entailment{found, claimed}.run(); }

}  // namespace unibpf::certificate
