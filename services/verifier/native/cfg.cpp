#include "services/verifier/native/cfg.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace unibpf::analyser {
namespace {

constexpr std::uint16_t bit(Register reg) { return static_cast<std::uint16_t>(1U << reg); }
constexpr std::uint16_t arguments = 0b111110, callee_saved = 0b1111000000;

std::uint16_t bits_of(const Operand& operand) { return operand.is_register ? bit(operand.reg) : std::uint16_t{0}; }

bool ends_block(const Insn& insn) {
    return std::holds_alternative<Jump>(insn) || std::holds_alternative<Branch>(insn) || std::holds_alternative<CallLocal>(insn) ||
           std::holds_alternative<Exit>(insn);
}


class Builder {
  public:
    explicit Builder(const Program& program) : program_{program} {}

    std::variant<Cfg, Finding> run() {
        find_functions();
        if (auto entry = inline_function(0, {0, no_block, 0}); entry == no_block) return *fault_;
        if (fault_) return *fault_;
        find_live();
        return std::move(cfg_);
    }

  private:
    const std::vector<Insn>& insns() const { return program_.insns; }

    void find_functions() {
        starts_ = {0};
        for (const Insn& insn : insns()) {
            if (const auto* call = std::get_if<CallLocal>(&insn)) starts_.push_back(call->target);
        }
        std::sort(starts_.begin(), starts_.end());
        starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
        leads_.assign(insns().size() + 1, false);
        for (const std::uint32_t start : starts_) leads_[start] = true;
        for (std::uint32_t at = 0; at < insns().size(); ++at) {
            if (const auto* jump = std::get_if<Jump>(&insns()[at])) leads_[jump->target] = true;
            if (const auto* branch = std::get_if<Branch>(&insns()[at])) leads_[branch->target] = true;
            if (ends_block(insns()[at])) leads_[at + 1] = true;
        }
    }

    std::uint32_t end_of_function(std::uint32_t start) const {
        const auto next = std::upper_bound(starts_.begin(), starts_.end(), start);
        return next == starts_.end() ? static_cast<std::uint32_t>(insns().size()) : *next;
    }

    BlockId fail(Rule rule, std::string message, std::uint32_t at) {
        if (!fault_) fault_ = Finding{rule, std::move(message), {}, {}, at};
        return no_block;
    }

    struct Call { std::uint8_t depth; BlockId back; std::uint32_t caller; };

    // Copies the function that starts there into the graph; its exits go to `back`. Returns its entry block.
    BlockId inline_function(std::uint32_t start, const Call& call) {
        const std::uint32_t end = end_of_function(start);
        std::vector<BlockId> block_at(end - start, no_block);
        const auto first_block = static_cast<BlockId>(cfg_.blocks.size());
        for (std::uint32_t at = start; at < end; ++at) {
            if (!leads_[at]) continue;
            block_at[at - start] = static_cast<BlockId>(cfg_.blocks.size());
            cfg_.blocks.push_back({at, at, call.depth});
        }
        if (cfg_.blocks.size() > Cfg::max_blocks) return fail(Rule::limits, "the program is too large once its calls are inlined", start);
        const auto past_block = static_cast<BlockId>(cfg_.blocks.size());
        const auto copy = static_cast<std::uint32_t>(cfg_.copies.size());
        cfg_.copies.push_back({start, first_block, past_block, call.caller});
        for (BlockId id = first_block; id < past_block && !fault_; ++id) {
            const std::uint32_t next = id + 1 < past_block ? cfg_.blocks[id + 1].first : end;
            finish({id, start, end, next, copy, call}, block_at);
        }
        return fault_ ? no_block : first_block;
    }

    struct Place { BlockId id; std::uint32_t start, end, next, copy; const Call& call; };

    void finish(const Place& place, const std::vector<BlockId>& block_at) {
        std::uint32_t last = place.next - 1;
        while (std::holds_alternative<SecondSlot>(insns()[last])) --last;
        Block& block = cfg_.blocks[place.id];
        block.last = last;
        for (std::uint32_t at = block.first; at <= last; ++at) block.cost += !std::holds_alternative<SecondSlot>(insns()[at]);
        const auto target = [&](std::uint32_t to) {
            if (to < place.start || to >= place.end) return fail(Rule::fall_through, "control leaves the function other than by exit", last);
            return block_at[to - place.start];
        };
        BlockId next = no_block, taken = no_block;
        const Insn& insn = insns()[last];
        if (std::holds_alternative<Exit>(insn)) {
            next = place.call.back;
        } else if (const auto* jump = std::get_if<Jump>(&insn)) {
            next = target(jump->target);
        } else if (const auto* branch = std::get_if<Branch>(&insn)) {
            next = target(place.next);
            taken = target(branch->target);
        } else if (const auto* call = std::get_if<CallLocal>(&insn)) {
            const BlockId behind = target(place.next);
            if (place.call.depth + 1U >= abi::max_frames) fail(Rule::call_depth, "calls nest deeper than 8 functions", last);
            if (!fault_) next = inline_function(call->target, {static_cast<std::uint8_t>(place.call.depth + 1), behind, place.copy});
        } else {
            next = target(place.next);
        }
        cfg_.blocks[place.id].next = next;
        cfg_.blocks[place.id].taken = taken;
    }

    // Backward liveness, to a fixpoint: a block is seen again when one behind it needs more, which is at most once a register.
    void find_live() {
        std::vector<Uses> uses(cfg_.blocks.size());
        for (BlockId id = 0; id < cfg_.blocks.size(); ++id) uses[id] = block_uses(cfg_.blocks[id]);
        for (Block& block : cfg_.blocks) block.live = 0;
        const Predecessors predecessors{cfg_};
        std::vector<BlockId> waiting(cfg_.blocks.size());
        std::iota(waiting.begin(), waiting.end(), BlockId{0});
        std::vector<bool> waits(cfg_.blocks.size(), true);
        while (!waiting.empty()) {
            const BlockId id = waiting.back();
            waiting.pop_back();
            waits[id] = false;
            Block& block = cfg_.blocks[id];
            const std::uint16_t live = static_cast<std::uint16_t>(uses[id].reads | (live_out(block) & ~uses[id].writes) | bit(frame_register));
            if (live == block.live) continue;
            block.live = live;
            for (const BlockId before : predecessors.of(id)) {
                if (!waits[before]) waiting.push_back(before);
                waits[before] = true;
            }
        }
    }

    // Across a call the callee's needs are those of its arguments; r6 to r9 of the caller are kept by the state itself.
    std::uint16_t live_out(const Block& block) const {
        std::uint16_t live = 0;
        for (const BlockId next : {block.next, block.taken}) {
            if (next != no_block) live |= cfg_.blocks[next].live;
        }
        const Insn& last = insns()[block.last];
        if (std::holds_alternative<CallLocal>(last)) live = static_cast<std::uint16_t>((live & arguments) | callee_saved);
        if (std::holds_alternative<Exit>(last)) live = 0;
        return live;
    }

    Uses block_uses(const Block& block) const {
        Uses total;
        for (std::uint32_t at = block.first; at <= block.last; ++at) {
            const Uses own = uses_of(insns()[at]);
            total.reads |= static_cast<std::uint16_t>(own.reads & ~total.writes);
            total.writes |= own.writes;
        }
        return total;
    }

    const Program& program_;
    std::vector<std::uint32_t> starts_;
    std::vector<bool> leads_;
    Cfg cfg_;
    std::optional<Finding> fault_;
};

}  // namespace

Uses uses_of(const Insn& insn) {
    return std::visit(Overloaded{
        [](const Compute& i) { return Uses{static_cast<std::uint16_t>(bits_of(i.src) | (i.op == Alu::mov ? 0 : bit(i.dst))), bit(i.dst)}; },
        [](const MoveSigned& i) { return Uses{bit(i.src), bit(i.dst)}; },
        [](const Swap& i) { return Uses{bit(i.dst), bit(i.dst)}; },
        [](const LoadNumber& i) { return Uses{0, bit(i.dst)}; },
        [](const LoadMap& i) { return Uses{0, bit(i.dst)}; },
        [](const LoadMapValue& i) { return Uses{0, bit(i.dst)}; },
        [](const LoadFunction& i) { return Uses{0, bit(i.dst)}; },
        [](const Load& i) { return Uses{bit(i.base), bit(i.dst)}; },
        [](const Store& i) { return Uses{static_cast<std::uint16_t>(bit(i.base) | bits_of(i.src)), 0}; },
        [](const AtomicUpdate& i) {
            const bool swap = i.op == Atomic::cmpxchg;
            return Uses{static_cast<std::uint16_t>(bit(i.base) | bit(i.src) | (swap ? bit(0) : 0)), 0};
        },
        [](const Jump&) { return Uses{}; },
        [](const Branch& i) { return Uses{static_cast<std::uint16_t>(bit(i.left) | bits_of(i.right)), 0}; },
        [](const CallHelper&) { return Uses{arguments, static_cast<std::uint16_t>(arguments | bit(0))}; },
        [](const CallLocal&) { return Uses{arguments, bit(0)}; },
        [](const Exit&) { return Uses{bit(0), 0}; },
        [](const SecondSlot&) { return Uses{}; },
    }, insn);
}

Predecessors::Predecessors(const Cfg& cfg) : first_(cfg.blocks.size() + 2, 0) {
    const auto each_edge = [&](auto&& visit) {
        for (BlockId id = 0; id < cfg.blocks.size(); ++id) {
            for (const BlockId next : {cfg.blocks[id].next, cfg.blocks[id].taken}) {
                if (next != no_block) visit(id, next);
            }
        }
    };
    each_edge([&](BlockId, BlockId to) { ++first_[to + 2]; });
    for (std::size_t i = 2; i < first_.size(); ++i) first_[i] += first_[i - 1];
    from_.resize(first_.back());
    each_edge([&](BlockId from, BlockId to) { from_[first_[to + 1]++] = from; });
}

std::variant<Cfg, Finding> build_cfg(const Program& program) { return Builder{program}.run(); }

}  // namespace unibpf::analyser
