#include "services/verifier/native/domains/differences.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

constexpr std::size_t searches = 256;  // that are kept, in each direction

// One search: where each symbol is in its list; entries of older searches carry older marks. Joins ask for the same searches
// again and again, so the last few are kept.
struct Search {
    std::uint64_t version = UINT64_MAX;
    Symbol from = 0;
    Differences::Reach found;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> place;  // mark, index into found
    std::uint32_t mark = 0;

    void start(std::uint64_t of, Symbol symbol) {
        version = of;
        from = symbol;
        found.clear();
        ++mark;
        relax(from, 0);
    }
    const std::int64_t* distance(Symbol symbol) const {
        return symbol < place.size() && place[symbol].first == mark ? &found[place[symbol].second].second : nullptr;
    }
    // True if the symbol is new or got nearer.
    bool relax(Symbol symbol, std::int64_t distance) {
        if (symbol >= place.size()) place.resize(symbol + 64, {0, 0});
        if (place[symbol].first != mark) {
            place[symbol] = {mark, static_cast<std::uint32_t>(found.size())};
            found.emplace_back(symbol, distance);
            return true;
        }
        std::int64_t& best = found[place[symbol].second].second;
        if (distance >= best) return false;
        best = distance;
        return true;
    }
};

}  // namespace

void Differences::add(Symbol left, Symbol right, std::int64_t limit) {
    if (left == right || limit > largest || limit < -largest) return;
    for (Difference& edge : edges_) {
        if (edge.left != left || edge.right != right) continue;
        if (limit >= edge.limit) return;
        edge.limit = limit;
        return touch();
    }
    if (edges_.size() == capacity) edges_.erase(edges_.begin());
    edges_.push_back({left, right, limit});
    touch();
}

// Bellman-Ford. A negative cycle means that the state is impossible; rounds are capped, every distance found is still a
// consequence of the edges.
void Differences::touch() {
    thread_local std::uint64_t versions = 0;
    version_ = edges_.empty() ? 0 : ++versions;
}

const Differences::Reach& Differences::reach(Symbol from, bool forward) const {
    thread_local Search cache[2][searches];
    Search& search = cache[forward][(from + version_ * 37) % searches];  // a join asks two states for the same symbols in turn
    if (search.version == version_ && search.from == from) return search.found;
    search.start(version_, from);
    bool changed = !edges_.empty();
    for (int round = 0; changed && round < 8; ++round) {
        changed = false;
        for (const Difference& edge : edges_) {
            const Symbol source = forward ? edge.left : edge.right, target = forward ? edge.right : edge.left;
            if (const std::int64_t* distance = search.distance(source)) changed |= search.relax(target, *distance + edge.limit);
        }
    }
    return search.found;
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
    if (!into.empty() || !out.empty()) touch();
    if (into.size() * out.size() > capacity) return;
    for (const Difference& a : into) {
        for (const Difference& b : out) add(a.left, b.right, a.limit + b.limit);
    }
}

}  // namespace unibpf::analyser
