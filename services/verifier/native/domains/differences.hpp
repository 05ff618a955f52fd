// Differences: a sparse set of constraints x - y <= c between symbols (zones, Miné 2001), bounds kept apart in the symbols'
// intervals: the split normal form of Gange et al., "Exploiting sparsity in difference-bound matrices" (SAS 2016).
//
// Symbols are read as signed 64-bit integers without wrapping; whoever adds a constraint has shown that nothing wraps.
// Equalities with a constant distance never get here: such registers share one symbol (state.hpp). So few edges remain, the
// graph is kept unclosed and paths are searched when somebody asks. Dropping an edge is always sound.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace unibpf::analyser {

using Symbol = std::uint32_t;

struct Difference {
    Symbol left, right;
    std::int64_t limit;  // left - right <= limit
    bool operator==(const Difference&) const = default;
};

class Differences {
  public:
    static constexpr std::size_t capacity = 64;
    static constexpr std::int64_t largest = std::int64_t{1} << 40;  // looser constraints are of no use

    // Keeps the tighter of old and new; the oldest edge goes when there is no room.
    void add(Symbol left, Symbol right, std::int64_t limit);

    // Least c with left - right <= c along edges only; nothing if no path exists.
    std::optional<std::int64_t> path(Symbol left, Symbol right) const;

    // Distances from (`forward`) or to a symbol along edges: pairs of symbol and limit, the symbol itself included with 0.
    // The result is a list of the thread's own cache, good until the next call.
    using Reach = std::vector<std::pair<Symbol, std::int64_t>>;
    const Reach& reach(Symbol from, bool forward) const;

    // Existential projection: whatever follows from paths through the symbol is kept, then its edges go.
    void forget(Symbol symbol);

    const std::vector<Difference>& edges() const { return edges_; }
    // Renames symbols; `rename` gets each edge.
    template <typename F>
    void each_edge(F&& rename) {
        for (Difference& edge : edges_) rename(edge);
        touch();
    }

  private:
    void touch();

    std::vector<Difference> edges_;
    std::uint64_t version_ = 0;  // equal versions have equal edges: the key of the cache; 0 has none
};

}  // namespace unibpf::analyser
