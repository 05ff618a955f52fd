// Containment of states: is every machine state of one a machine state of the other?
#include "services/verifier/native/state.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t negate(std::uint64_t x) { return 0 - x; }

// Maps each symbol of b to a term of a; every location must agree with the map.
class Containment {
  public:
    Containment(const State& a, const State& b) : a_{a}, b_{b}, image_(b.symbols.size()), known_(b.symbols.size()), witness_(b.symbols.size(), no_symbol) {}

    bool run() {
        for (Symbol symbol = 0; symbol < first_free_symbol; ++symbol) {
            image_[symbol] = Value::number(symbol);
            known_[symbol] = true;
            if (!a_.symbols[symbol].scalar.leq(b_.symbols[symbol].scalar)) return false;
        }
        return registers() && saved() && frames() && counters() && differences();
    }

  private:
    bool term(const Value& inner, const Value& outer) {
        const Value image = Value::number(inner.symbol, inner.delta).moved(static_cast<std::int64_t>(negate(outer.constant())));
        if (known_[outer.symbol]) return image_[outer.symbol] == image;
        image_[outer.symbol] = image;
        known_[outer.symbol] = true;
        return a_.scalar(image).leq(b_.symbols[outer.symbol].scalar);
    }

    bool value(const Value& inner, const Value& outer) {
        if (outer.kind == Kind::uninitialised) return true;
        if (outer.kind == Kind::mixed) return inner.kind != Kind::uninitialised;
        if (outer.may_be_null() && inner.is_constant() && inner.delta == 0) {
            return outer.symbol == zero_symbol && witness(no_symbol - 1, outer.nullable);
        }
        const bool same_object = outer.kind == Kind::map_value ? (inner.object & ~outer.object) == 0 : inner.object == outer.object;
        if (inner.kind != outer.kind || !same_object || !term(inner, outer)) return false;
        if (inner.may_be_null() && !outer.may_be_null()) return false;
        return !outer.may_be_null() || witness(inner.may_be_null() ? inner.nullable : no_symbol - 2, outer.nullable);
    }

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

    const State &a_, &b_;
    std::vector<Value> image_;
    std::vector<bool> known_;
    std::vector<Symbol> witness_;
};

}  // namespace

bool leq(const State& a, const State& b) { return Containment{a, b}.run(); }

}  // namespace unibpf::analyser
