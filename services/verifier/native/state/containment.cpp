// Containment of states: is every machine state of one a machine state of the other?
#include <algorithm>

#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t negate(std::uint64_t x) { return 0 - x; }

// Maps each symbol of b to a term of a; every location must agree with the map.
class Containment {
  public:
    Containment(const State& a, const State& b) : a_{a}, b_{b}, image_(b.symbols.size()), known_(b.symbols.size()), witness_(b.symbols.size(), no_symbol) {}

    bool run() {
        if (!b_.attempts.empty()) return false;  // joins have none
        for (Symbol symbol = 0; symbol < first_free_symbol; ++symbol) {
            image_[symbol] = Value::number(symbol);
            known_[symbol] = true;
            if (!a_.symbols[symbol].scalar.leq(b_.symbols[symbol].scalar)) return false;
        }
        return registers() && saved() && frames() && callbacks() && counters() && references() && lock() && remainders() && differences() && definitions();
    }

  private:
    bool term(const Value& inner, const Value& outer) {
        const Value image = Value::number(inner.symbol, inner.delta).moved(static_cast<std::int64_t>(negate(outer.constant())));
        if (known_[outer.symbol]) return image_[outer.symbol] == image;
        image_[outer.symbol] = image;
        known_[outer.symbol] = true;
        return a_.bounds(image.term()).leq(b_.symbols[outer.symbol].scalar);
    }

    bool value(const Value& inner, const Value& outer) {
        if (outer.kind == Kind::uninitialised) return true;
        if (outer.kind == Kind::mixed) return inner.kind != Kind::uninitialised;
        if (outer.may_be_null() && inner.is_null()) {
            return outer.symbol == zero_symbol && witness(null_here, outer.nullable);
        }
        const bool same_object = outer.is_set() ? (inner.object & ~outer.object) == 0 : inner.object == outer.object;
        const bool whole_in_half = outer.kind == Kind::packet_address && inner.kind == outer.kind && inner.object != outer.object && (inner.object | low_half) == outer.object;
        if (whole_in_half) return term(inner, outer) && nullable(inner, outer);
        if (inner.kind != outer.kind || !same_object || !term(inner, outer)) return false;
        if (!identity(inner, outer)) return false;
        return nullable(inner, outer);
    }

    // A name says which values are the same, nothing else: each name of b stands for one of a.
    bool identity(const Value& inner, const Value& outer) {
        return outer.kind == Kind::map_value ? same_value(inner.identity, outer.identity) : outer.identity == no_site || inner.identity == outer.identity;
    }
    bool same_value(Site inner, Site outer) {
        if (outer <= joined_names) return outer == no_site || inner == outer;
        for (const auto& [in, out] : names_) {
            if (out == outer) return in == inner;
        }
        names_.push_back({inner, outer});
        return inner != no_site;
    }

    // Where the outer pointer has a witness, an inner one without must be known not to be 0.
    bool nullable(const Value& inner, const Value& outer) {
        if (outer.may_be_null() && !inner.may_be_null() && !a_.is_never_zero(inner)) return false;
        return held(inner.nullable, outer.nullable);
    }
    bool held(Symbol inner, Symbol outer) {
        if (outer == no_symbol) return inner == no_symbol;
        return witness(inner == no_symbol ? not_null_here : inner, outer);
    }

    static constexpr Symbol null_here = no_symbol - 1, not_null_here = no_symbol - 2;

    bool witness(Symbol inner, Symbol outer) {
        if (witness_[outer] == no_symbol) witness_[outer] = inner;
        return witness_[outer] == inner;
    }

    bool registers() {
        for (unsigned i = 0; i < register_count; ++i) {
            if (!value(a_.registers[i], b_.registers[i])) return false;
        }
        return true;
    }
    bool saved() {
        for (std::size_t i = 0; i < b_.saved.size(); ++i) {
            for (std::size_t k = 0; k < b_.saved[i].size(); ++k) {
                if (!value(a_.saved[i][k], b_.saved[i][k])) return false;
            }
        }
        return true;
    }
    bool frames() {
        for (std::size_t i = 0; i < b_.frames.size(); ++i) {
            const Frame &inner = a_.frames[i], &outer = b_.frames[i];
            if ((outer.data() & ~inner.data()).any()) return false;
            for (const Cell& cell : outer.cells()) {
                const Value* other = inner.cell_at(cell.start, cell.bytes);
                if (other == nullptr || !value(*other, cell.value)) return false;
            }
        }
        return true;
    }
    bool callbacks() {
        for (std::size_t i = 0; i < b_.callbacks.size(); ++i) {
            const Callback &inner = a_.callbacks[i], &outer = b_.callbacks[i];
            if (outer.is_exact && !inner.is_exact) return false;
            if (!value(inner.limit, outer.limit) || !value(inner.context, outer.context) || !value(inner.map, outer.map)) return false;
        }
        return true;
    }
    bool references() {
        for (const Reference& inner : a_.references) {
            if (b_.reference(inner.site) == nullptr) return false;
        }
        for (const Reference& outer : b_.references) {
            const Reference* inner = a_.reference(outer.site);
            if (inner != nullptr && inner->bytes < outer.bytes) return false;
            if (inner == nullptr ? outer.nullable == no_symbol || !witness(null_here, outer.nullable) : !held(inner->nullable, outer.nullable)) return false;
        }
        return true;
    }
    bool lock() {
        if (b_.lock.held == Lock::Held::some) return true;
        return a_.lock.held == b_.lock.held && same_value(a_.lock.identity, b_.lock.identity);
    }
    bool counters() {
        for (std::size_t i = 0; i < b_.counters.size(); ++i) {
            if (!term(a_.counters[i].up, b_.counters[i].up) || !term(a_.counters[i].down, b_.counters[i].down)) return false;
        }
        return true;
    }
    bool differences() {
        for (const Difference& edge : b_.differences.edges()) {
            if (!known_[edge.left] || !known_[edge.right]) return false;
            const auto limit = a_.upper_difference(image_[edge.left], image_[edge.right]);
            if (!limit || *limit > edge.limit) return false;
        }
        return true;
    }

    // What b knows of how a symbol came to be, a must know of its image.
    bool definitions() const {
        for (Symbol symbol = first_free_symbol; symbol < b_.symbols.size(); ++symbol) {
            const Definition& outer = b_.symbols[symbol].definition;
            if (outer.form == Definition::Form::none || std::find(remainders_.begin(), remainders_.end(), symbol) != remainders_.end()) continue;
            if (!known_[symbol] || !known_[outer.left.symbol] || !known_[outer.right.symbol] || !defines(image_[symbol], outer)) return false;
        }
        return true;
    }
    bool defines(const Value& image, const Definition& outer) const {
        const Definition& inner = a_.symbols[image.symbol].definition;
        if (inner.form != outer.form) return false;
        const Term left = image_[outer.left.symbol].term().moved(outer.left.delta), right = image_[outer.right.symbol].term().moved(outer.right.delta);
        const bool adds = inner.form == Definition::Form::sum;
        if (!adds && inner.form != Definition::Form::difference) return image.delta == 0 && inner.left == left && inner.right == right;
        if (!a_.is_tame(left) || !a_.is_tame(right)) return false;  // equal modulo 2^64 is not enough
        const auto total = [&](const Term& x, const Term& y) { return x.moved(adds ? y.delta : static_cast<std::int64_t>(negate(static_cast<std::uint64_t>(y.delta)))).delta; };
        const bool straight = inner.left.symbol == left.symbol && inner.right.symbol == right.symbol;
        const bool crossed = adds && inner.left.symbol == right.symbol && inner.right.symbol == left.symbol;
        return (straight || crossed) && total(inner.left.moved(image.delta), inner.right) == total(left, right);
    }

    // What is left of b's packet beyond a pointer is named by nothing else: in a it is what was computed there.
    bool remainders() {
        for (Symbol symbol = first_free_symbol; symbol < b_.symbols.size(); ++symbol) {
            const Definition& outer = b_.symbols[symbol].definition;
            if (known_[symbol] || outer.form != Definition::Form::difference || outer.left.symbol != packet_size || !known_[outer.right.symbol]) continue;
            const Term offset = image_[outer.right.symbol].term().moved(outer.right.delta), size = Term{packet_size}.moved(outer.left.delta);
            if (!a_.is_tame(offset)) return false;
            const auto rest = offset.symbol == zero_symbol ? std::optional{size.moved(static_cast<std::int64_t>(negate(static_cast<std::uint64_t>(offset.delta))))} : a_.known_difference(size, offset);
            if (!rest || !term(Value::number(rest->symbol, rest->delta), Value::number(symbol))) return false;
            remainders_.push_back(symbol);
        }
        return true;
    }

    const State &a_, &b_;
    std::vector<Value> image_;
    std::vector<bool> known_;
    std::vector<Symbol> witness_;
    struct Name {
        Site inner, outer;
    };
    std::vector<Name> names_;
    std::vector<Symbol> remainders_;  // of b
};

}  // namespace

bool leq(const State& a, const State& b) { return Containment{a, b}.run(); }

}  // namespace unibpf::analyser
