// What a state forgets: old packets, what was given back, popped frames, symbols without a use.
#include <algorithm>

#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {

void State::rename(Symbol from, Symbol to) {
    const auto change = [&](Term& term) {
        if (term.symbol == from) term.symbol = to;
    };
    each_value([&](Value& value) { change(value.term); });
    for (SymbolInfo& info : symbols) change(info.origin.left), change(info.origin.right);
    for (Edge& edge : edges) {
        if (edge.a == from) edge.a = to;
        if (edge.b == from) edge.b = to;
    }
}

// Addresses of the old packet serve distances among themselves; the old size lives on under another name.
void State::packet_moved() {
    each_value([](Value& value) {
        if (value.kind == Kind::complement) value = {};
        if (!value.is_packet()) return;
        const bool too_old = value.kind == Kind::stale_packet && (value.object & moved) != 0;
        if (too_old || value.may_be_null()) {
            value = {};
            return;
        }
        value.kind = Kind::stale_packet;
        value.object |= moved;
    });
    const State anew = start();
    for (const Symbol fixed : {packet_size, meta_start}) {
        rename(fixed, fresh(symbols[fixed].word));
        symbols[fixed] = anew.symbols[fixed];
    }
}

const Held* State::find_held(std::uint64_t call) const {
    const auto found = std::find_if(held.begin(), held.end(), [&](const Held& one) { return one.call == call; });
    return found == held.end() ? nullptr : &*found;
}

void State::give_back(std::uint64_t call) {
    each_value([&](Value& value) {
        if (value.kind == Kind::record && value.object == call) value = {};
    });
    std::erase_if(held, [&](const Held& one) { return one.call == call; });
}

void State::forget_identity(std::uint64_t identity) {
    each_value([&](Value& value) {
        if (value.kind == Kind::map_value && value.identity == identity) value.identity = 0;
    });
    if (locked == Locked::yes && lock == identity) locked = Locked::unknown;
}

// The frame's addresses, and the keys that were lent to it, mean nothing any more.
void State::pop_frame() {
    frames.pop_back();
    const std::uint64_t gone = frames.size();
    std::erase_if(attempts, [&](const Attempt& one) { return one.frame >= gone; });
    each_value([&](Value& value) {
        const bool is_inside = value.kind == Kind::stack && value.object >= gone;
        const bool is_lent = value.kind == Kind::map_key && value.identity >= gone;
        if (is_inside || is_lent) value = Value::unknown();
    });
}

// An address is stored there.
void State::forget_attempts(std::uint64_t frame, unsigned start, unsigned bytes) {
    std::erase_if(attempts, [&](const Attempt& one) { return one.frame == frame && one.start < start + bytes && start < one.start + one.bytes; });
}

void State::compact() {
    if (symbols.size() < compact_at_) return;
    std::vector<bool> used(symbols.size(), false);
    std::fill_n(used.begin(), first_free, true);
    each_value([&](Value& value) { used[value.term.symbol] = true; });
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        if (is_remainder(symbols[symbol]) && used[symbols[symbol].origin.right.symbol]) used[symbol] = true;
    }
    // What follows from two edges through a symbol that goes is kept.
    for (Symbol symbol = first_free; symbol < symbols.size(); ++symbol) {
        if (used[symbol]) continue;
        std::vector<Edge> into, out;
        std::erase_if(edges, [&](const Edge& edge) {
            if (edge.b == symbol) into.push_back(edge);
            if (edge.a == symbol) out.push_back(edge);
            return edge.a == symbol || edge.b == symbol;
        });
        if (into.size() * out.size() > 64) continue;
        for (const Edge& first : into)
            for (const Edge& second : out) add_edge(first.a, second.b, first.most + second.most);
    }
    std::vector<Symbol> name(symbols.size(), zero);
    std::vector<SymbolInfo> kept;
    for (Symbol symbol = 0; symbol < symbols.size(); ++symbol) {
        if (!used[symbol]) continue;
        name[symbol] = static_cast<Symbol>(kept.size());
        kept.push_back(symbols[symbol]);
    }
    for (SymbolInfo& info : kept) {
        Origin& origin = info.origin;
        if (!used[origin.left.symbol] || !used[origin.right.symbol]) origin = {};
        origin.left.symbol = name[origin.left.symbol];
        origin.right.symbol = name[origin.right.symbol];
    }
    each_value([&](Value& value) { value.term.symbol = name[value.term.symbol]; });
    for (Edge& edge : edges) edge = {name[edge.a], name[edge.b], edge.most};
    symbols = std::move(kept);
    compact_at_ = 2 * symbols.size() + 64;
}

}  // namespace unibpf::certificate
