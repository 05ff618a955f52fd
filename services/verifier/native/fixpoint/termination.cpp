#include "services/verifier/native/fixpoint/termination.hpp"

#include <algorithm>
#include <unordered_map>

#include "services/verifier/native/findings/describe.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t useless = std::uint64_t{1} << 40;

using Costs = std::vector<std::uint64_t>;  // of blocks

// Longest paths, component by component: a loop costs its longest round times its rounds.
class Longest {
  public:
    Longest(const Cfg& cfg, const Wto& wto, const Analysis& analysis, const Costs& costs) : cfg_{cfg}, wto_{wto}, analysis_{analysis}, costs_{costs} {}

    std::optional<std::uint64_t> run() {
        std::uint64_t total = path(wto_.components, 0);  // of the longest entry
        if (cfg_.tail_calls) total = std::min(useless, total * (abi::max_tail_calls + 1));
        return total >= useless ? std::nullopt : std::optional{total};
    }

    // The dearest of the outermost loops.
    Expense dearest() {
        Expense found;
        for (const Component& component : wto_.components) {
            const std::uint64_t spent = component.is_loop ? cost(component, 0) : 0;
            if (spent <= found.dearest_cost) continue;
            found.dearest_cost = spent;
            found.dearest = cfg_.blocks[component.head].first;
            found.rounds = analysis_.loop_bounds.find(component.head)->second;
        }
        return found;
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
        const std::uint64_t own = costs_[component.head];
        if (!component.is_loop) return own;
        const auto bound = analysis_.loop_bounds.find(component.head);
        if (bound == analysis_.loop_bounds.end()) return 0;  // never reached
        if (!bound->second) return useless;
        Longest inner{cfg_, wto_, analysis_, costs_};
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
    const Costs& costs_;
    std::unordered_map<BlockId, std::uint64_t> start_;
};

// What a guest counts besides the work of helpers.
class Counted {
  public:
    explicit Counted(const Program& program) : program_{program} {
        starts_.push_back(0);
        for (const Insn& insn : program.insns) {
            if (const auto* call = std::get_if<CallLocal>(&insn)) starts_.push_back(call->target);
            if (const auto* load = std::get_if<LoadFunction>(&insn)) starts_.push_back(load->target);
        }
        for (const Map& map : program.maps) starts_.insert(starts_.end(), map.programs.begin(), map.programs.end());
        std::sort(starts_.begin(), starts_.end());
        for (const std::uint32_t target : tail_targets()) longest_tail_ = std::max(longest_tail_, length_of(target));
    }

    std::uint64_t of(const Block& block) const {
        if (block.asks) return block.callee < program_.insns.size() ? length_of(block.callee) : 0;
        const Insn& last = program_.insns[block.last];
        if (const auto* jump = std::get_if<Jump>(&last)) return backwards(block.last, jump->target);
        if (const auto* branch = std::get_if<Branch>(&last)) return backwards(block.last, branch->target);
        if (const auto* call = std::get_if<CallLocal>(&last)) return length_of(call->target);
        return block.tail_calls ? longest_tail_ : 0;
    }

  private:
    static std::uint64_t backwards(std::uint32_t from, std::uint32_t to) { return to <= from ? from + 1 - to : 0; }
    std::uint64_t length_of(std::uint32_t start) const {
        const auto next = std::upper_bound(starts_.begin(), starts_.end(), start);
        return (next == starts_.end() ? program_.insns.size() : *next) - start;
    }
    std::vector<std::uint32_t> tail_targets() const {
        std::vector<std::uint32_t> targets;
        for (const Map& map : program_.maps) targets.insert(targets.end(), map.programs.begin(), map.programs.end());
        return targets;
    }

    const Program& program_;
    std::vector<std::uint32_t> starts_;
    std::uint64_t longest_tail_ = 0;
};

// The call whose helper works most, where no loop does.
void name_dearest_call(const Analysis& analysis, Expense& expense) {
    for (const auto& [place, units] : analysis.work) {
        if (units <= expense.dearest_cost) continue;
        expense.dearest_cost = units;
        expense.dearest = place.second;
        expense.rounds = std::nullopt;
    }
}

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

Expense expense_of(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto, const Analysis& analysis) {
    Costs runs(cfg.blocks.size());
    for (BlockId id = 0; id < cfg.blocks.size(); ++id) runs[id] = cfg.blocks[id].cost;
    if (options.platform != Platform::guest) {
        Expense expense;
        expense.instructions = Longest{cfg, wto, analysis, runs}.run();
        return expense;
    }
    const Counted counted{program};
    Costs counts(cfg.blocks.size());
    for (BlockId id = 0; id < cfg.blocks.size(); ++id) counts[id] = counted.of(cfg.blocks[id]);
    for (const auto& [place, units] : analysis.work) {
        runs[place.first] += units;
        counts[place.first] += units;
    }
    const auto ran = Longest{cfg, wto, analysis, runs}.run(), was_counted = Longest{cfg, wto, analysis, counts}.run();
    Expense expense = Longest{cfg, wto, analysis, runs}.dearest();
    name_dearest_call(analysis, expense);
    if (ran && was_counted) expense.instructions = std::max(*ran, *was_counted);
    return expense;
}

Finding over_budget(const Expense& expense, const Options& options) {
    const std::string most = expense.instructions ? std::to_string(*expense.instructions) + " instructions" : "more instructions than can be counted";
    Finding finding{Rule::instruction_budget, "one packet may cost " + most + ", a guest stops it at " + std::to_string(options.budget)};
    finding.instruction = expense.dearest;
    const std::string spent = expense.dearest_cost >= useless ? "too many" : std::to_string(expense.dearest_cost);
    if (expense.rounds) finding.known.push_back("the loop that begins here may run " + std::to_string(*expense.rounds) + " rounds and costs most: " + spent);
    else if (expense.dearest_cost != 0) finding.known.push_back("what is called here costs most: " + spent + ", by the bytes that it touches");
    return finding;
}

}  // namespace unibpf::analyser
