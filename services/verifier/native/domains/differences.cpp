#include "services/verifier/native/domains/differences.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

using Reach = std::vector<std::pair<Symbol, std::int64_t>>;

// True if `symbol` is new or got nearer.
bool relax(Reach& reach, Symbol symbol, std::int64_t distance) {
    for (auto& [known, best] : reach) {
        if (known != symbol) continue;
        if (distance >= best) return false;
        best = distance;
        return true;
    }
    reach.emplace_back(symbol, distance);
    return true;
}

}  // namespace

void Differences::add(Symbol left, Symbol right, std::int64_t limit) {
    if (left == right || limit > largest || limit < -largest) return;
    for (Difference& edge : edges_) {
        if (edge.left != left || edge.right != right) continue;
        edge.limit = std::min(edge.limit, limit);
        return;
    }
    if (edges_.size() == capacity) edges_.erase(edges_.begin());
    edges_.push_back({left, right, limit});
}

// Bellman-Ford. A negative cycle means that the state is impossible; rounds are capped, every distance found is still a
// consequence of the edges.
Reach Differences::reach(Symbol from, bool forward) const {
    Reach result{{from, 0}};
    if (edges_.empty()) return result;
    bool changed = true;
    for (int round = 0; changed && round < 8; ++round) {
        changed = false;
        for (const Difference& edge : edges_) {
            const Symbol source = forward ? edge.left : edge.right, target = forward ? edge.right : edge.left;
            const auto known = std::find_if(result.begin(), result.end(), [&](const auto& item) { return item.first == source; });
            if (known == result.end()) continue;
            changed |= relax(result, target, known->second + edge.limit);
        }
    }
    return result;
}

std::optional<std::int64_t> Differences::path(Symbol left, Symbol right) const {
    for (const auto& [symbol, limit] : reach(left, true)) {
        if (symbol == right) return limit;
    }
    return std::nullopt;
}

void Differences::forget(Symbol symbol) {
    std::vector<Difference> into, out;
    std::erase_if(edges_, [&](const Difference& edge) {
        if (edge.right == symbol) into.push_back(edge);
        if (edge.left == symbol) out.push_back(edge);
        return edge.left == symbol || edge.right == symbol;
    });
    if (into.size() * out.size() > capacity) return;
    for (const Difference& a : into) {
        for (const Difference& b : out) add(a.left, b.right, a.limit + b.limit);
    }
}

}  // namespace unibpf::analyser
