#include "services/verifier/native/fixpoint/termination.hpp"

#include <algorithm>
#include <unordered_map>

#include "services/verifier/native/findings/describe.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t useless = std::uint64_t{1} << 40;

// Longest paths, component by component: a loop costs its longest round times its rounds.
class Longest {
  public:
    Longest(const Cfg& cfg, const Wto& wto, const Analysis& analysis) : cfg_{cfg}, wto_{wto}, analysis_{analysis} {}

    std::optional<std::uint64_t> run() {
        std::uint64_t total = path(wto_.components, 0);  // of the longest entry
        if (cfg_.tail_calls) total = std::min(useless, total * (abi::max_tail_calls + 1));
        return total >= useless ? std::nullopt : std::optional{total};
    }

  private:
    // The longest way through components at one level. Edges between them only go forwards, so adding up is right for chains and
    // an upper bound for the rest only where branches join; `start_` keeps the longest way to each block.
    std::uint64_t path(const std::vector<Component>& components, std::size_t level) {
        std::uint64_t longest = 0;
        for (const Component& component : components) {
            const std::uint64_t end = std::min(useless, reach(component) + cost(component, level));
            longest = std::max(longest, end);
            leave(component, end, level);
        }
        return longest;
    }

    std::uint64_t reach(const Component& component) const {
        std::uint64_t best = 0;
        each_block(component, [&](BlockId id) {
            const auto found = start_.find(id);
            if (found != start_.end()) best = std::max(best, found->second);
        });
        return best;
    }

    std::uint64_t cost(const Component& component, std::size_t level) {
        const std::uint64_t own = cfg_.blocks[component.head].cost;
        if (!component.is_loop) return own;
        const auto bound = analysis_.loop_bounds.find(component.head);
        if (bound == analysis_.loop_bounds.end()) return 0;  // never reached
        if (!bound->second) return useless;
        Longest inner{cfg_, wto_, analysis_};
        for (const BlockId next : {cfg_.blocks[component.head].next, cfg_.blocks[component.head].taken}) {
            if (next != no_block) inner.start_[next] = 0;
        }
        const std::uint64_t round = own + inner.path(component.body, level + 1);
        if (*bound->second + 1 >= useless / std::max<std::uint64_t>(round, 1)) return useless;
        return (*bound->second + 1) * round;
    }

    // Everything that a component's blocks lead to starts after its end.
    void leave(const Component& component, std::uint64_t end, std::size_t level) {
        (void)level;
        each_block(component, [&](BlockId id) {
            for (const BlockId next : {cfg_.blocks[id].next, cfg_.blocks[id].taken}) {
                if (next != no_block) start_[next] = std::max(start_[next], end);
            }
        });
    }

    template <typename F>
    static void each_block(const Component& component, F&& visit) {
        visit(component.head);
        for (const Component& inner : component.body) each_block(inner, visit);
    }

    const Cfg& cfg_;
    const Wto& wto_;
    const Analysis& analysis_;
    std::unordered_map<BlockId, std::uint64_t> start_;
};

}  // namespace

std::optional<std::uint64_t> loop_bound(const State& invariant, const LoopCounter& counter) {
    const auto up = invariant.range(counter.up).high, down = invariant.range(counter.down).low;
    std::optional<std::uint64_t> best;
    if (up >= 0 && up < largest_count) best = static_cast<std::uint64_t>(up);
    if (down <= 0 && down > -largest_count) best = std::min(best.value_or(UINT64_MAX), static_cast<std::uint64_t>(-down));
    return best;
}

Finding unbounded_loop(const State& invariant, const Program& program, const Block& head, const Cfg&) {
    Finding finding{Rule::termination, "no bound can be proved for the loop that begins here", {}, {}, head.first};
    for (Register reg = 0; reg < frame_register; ++reg) {
        if (invariant.registers[reg].is_number()) finding.known.push_back(describe_register(invariant, program, reg));
    }
    return finding;
}

std::optional<std::uint64_t> instruction_bound(const Cfg& cfg, const Wto& wto, const Analysis& analysis) {
    return Longest{cfg, wto, analysis}.run();
}

}  // namespace unibpf::analyser
