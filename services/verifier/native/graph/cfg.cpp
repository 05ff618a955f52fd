#include "services/verifier/native/graph/cfg.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint16_t bit(Register reg) { return static_cast<std::uint16_t>(1U << reg); }
constexpr std::uint16_t arguments = 0b111110, callee_saved = 0b1111000000;

std::uint16_t bits_of(const Operand& operand) { return operand.is_register ? bit(operand.reg) : std::uint16_t{0}; }

class Builder {
  public:
    Builder(const Program& program, const Options& options) : program_{program}, options_{options} {}

    std::variant<Cfg, Finding> run() {
        find_functions();
        cfg_.entries.clear();
        for (const std::uint32_t start : entry_points()) {
            cfg_.entries.push_back(static_cast<BlockId>(cfg_.blocks.size()));
            (void)inline_function(start, {});
        }
        if (!fault_) check_tail_calls();
        if (!fault_) number_sites();
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
            if (const auto* function = std::get_if<LoadFunction>(&insn)) starts_.push_back(function->target);
        }
        for (const std::uint32_t start : entry_points()) starts_.push_back(start);
        std::sort(starts_.begin(), starts_.end());
        starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
        leads_.assign(insns().size() + 1, false);
        for (const std::uint32_t start : starts_) leads_[start] = true;
        for (std::uint32_t at = 0; at < insns().size(); ++at) {
            if (const auto* jump = std::get_if<Jump>(&insns()[at])) leads_[jump->target] = true;
            if (const auto* branch = std::get_if<Branch>(&insns()[at])) leads_[branch->target] = true;
            if (ends_block(at)) leads_[at + 1] = true;
        }
    }

    const abi::HelperRow* helper_at(std::uint32_t at) const {
        const auto* call = std::get_if<CallHelper>(&insns()[at]);
        return call == nullptr ? nullptr : tables_.find_helper(call->number);
    }
    bool calls_back(std::uint32_t at) const {
        const abi::HelperRow* row = helper_at(at);
        return row != nullptr && row->has(abi::calls_back);
    }
    bool tail_calls(std::uint32_t at) const {
        const abi::HelperRow* row = helper_at(at);
        return row != nullptr && row->has(abi::tail_calls);
    }
    bool ends_block(std::uint32_t at) const {
        const Insn& insn = insns()[at];
        return std::holds_alternative<Jump>(insn) || std::holds_alternative<Branch>(insn) || std::holds_alternative<CallLocal>(insn) ||
               std::holds_alternative<Exit>(insn) || calls_back(at) || tail_calls(at);
    }

    // The program's own first.
    std::vector<std::uint32_t> entry_points() const {
        std::vector<std::uint32_t> result{0};
        for (const Map& map : program_.maps) result.insert(result.end(), map.programs.begin(), map.programs.end());
        std::sort(result.begin(), result.end());
        result.erase(std::unique(result.begin(), result.end()), result.end());
        return result;
    }

    std::uint32_t end_of_function(std::uint32_t start) const {
        const auto next = std::upper_bound(starts_.begin(), starts_.end(), start);
        return next == starts_.end() ? static_cast<std::uint32_t>(insns().size()) : *next;
    }

    BlockId fail(Rule rule, std::string message, std::uint32_t at) {
        if (!fault_) fault_ = Finding{rule, std::move(message), {}, {}, at};
        return no_block;
    }

    // `back`: where its exits go; `enough`: where those of a callback go that ask for no more.
    struct Call {
        std::uint8_t depth = 0;
        BlockId back = no_block, enough = no_block;
        std::uint32_t caller = 0, at = 0;
        Role role = Role::entry;
    };

    // Copies the function that starts there into the graph. Returns its entry block.
    BlockId inline_function(std::uint32_t start, const Call& call) {
        if (fault_) return no_block;
        const std::uint32_t end = end_of_function(start);
        std::vector<BlockId> block_at(end - start, no_block);
        const auto copy = static_cast<std::uint32_t>(cfg_.copies.size());
        const auto first_block = static_cast<BlockId>(cfg_.blocks.size());
        for (std::uint32_t at = start; at < end; ++at) {
            if (leads_[at]) block_at[at - start] = add_block(at, call.depth, copy);
        }
        const auto past_code = static_cast<BlockId>(cfg_.blocks.size());
        BlockId question = past_code;
        for (std::uint32_t at = start; at < end; ++at) {
            if (calls_back(at)) cfg_.blocks[add_block(at, call.depth, copy)].asks = true;
        }
        if (cfg_.blocks.size() > Cfg::max_blocks) return fail(Rule::limits, "the program is too large once its calls are inlined", start);
        add_copy(start, first_block, call);
        for (BlockId id = first_block; id < past_code && !fault_; ++id) {
            const std::uint32_t next = id + 1 < past_code ? cfg_.blocks[id + 1].first : end;
            finish({id, start, end, next, copy, call}, block_at, question);
        }
        return fault_ ? no_block : first_block;
    }

    BlockId add_block(std::uint32_t at, std::uint8_t depth, std::uint32_t copy) {
        Block block{at, at, depth};
        block.copy = copy;
        cfg_.blocks.push_back(block);
        return static_cast<BlockId>(cfg_.blocks.size() - 1);
    }

    void add_copy(std::uint32_t start, BlockId first, const Call& call) {
        const bool in_callback = call.role == Role::callback || (call.role == Role::subprogram && cfg_.copies[call.caller].in_callback);
        const std::uint32_t caller = call.role == Role::entry ? static_cast<std::uint32_t>(cfg_.copies.size()) : call.caller;
        cfg_.copies.push_back({start, first, static_cast<BlockId>(cfg_.blocks.size()), caller, call.role, in_callback, call.at});
    }

    struct Place {
        BlockId id;
        std::uint32_t start, end, next, copy;
        const Call& call;
    };

    // Sets where a block leads, callees inlined. `question`: of the next call that calls back.
    void finish(const Place& place, const std::vector<BlockId>& block_at, BlockId& question) {
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
            taken = place.call.enough;
        } else if (const auto* jump = std::get_if<Jump>(&insn)) {
            next = target(jump->target);
        } else if (const auto* branch = std::get_if<Branch>(&insn)) {
            next = target(place.next);
            taken = target(branch->target);
        } else if (const auto* call = std::get_if<CallLocal>(&insn)) {
            const BlockId following = target(place.next);
            next = call_function(call->target, place, last, {.back = following, .role = Role::subprogram});
        } else {
            next = target(place.next);
            if (calls_back(last)) next = call_back(question++, place, last, next);
            if (tail_calls(last)) taken = place.call.back, cfg_.tail_calls = cfg_.blocks[place.id].tail_calls = true;
        }
        cfg_.blocks[place.id].next = next;
        cfg_.blocks[place.id].taken = taken;
    }

    BlockId call_function(std::uint32_t start, const Place& place, std::uint32_t at, Call call) {
        if (place.call.depth + 1U >= abi::max_frames) return fail(Rule::call_depth, "calls nest deeper than 8 functions", at);
        call.depth = static_cast<std::uint8_t>(place.call.depth + 1);
        call.caller = place.copy;
        call.at = at;
        return inline_function(start, call);
    }

    BlockId call_back(BlockId question, const Place& place, std::uint32_t at, BlockId following) {
        const std::uint32_t callee = function_argument(at, place.start);
        cfg_.blocks[place.id].callee = cfg_.blocks[question].callee = callee;
        cfg_.blocks[question].taken = following;
        if (callee == UINT32_MAX) return question;
        const BlockId body = call_function(callee, place, at, {.back = question, .enough = following, .role = Role::callback});
        cfg_.blocks[question].next = body;
        return question;
    }

    // The function that the code before a call loads into its argument, followed through moves; else the last that it loads at all.
    std::uint32_t function_argument(std::uint32_t call, std::uint32_t start) const {
        const auto& arguments = helper_at(call)->arguments;
        const auto position = std::find(arguments.begin(), arguments.end(), abi::Argument::function) - arguments.begin();
        auto reg = static_cast<Register>(position + 1);
        std::uint32_t last = UINT32_MAX;
        bool follows = true;
        for (std::uint32_t at = call; at-- > start;) {
            const auto* function = std::get_if<LoadFunction>(&insns()[at]);
            if (function != nullptr && last == UINT32_MAX) last = function->target;
            if (!follows || (uses_of(insns()[at]).writes & bit(reg)) == 0) continue;
            if (function != nullptr) return function->target;
            const auto* move = std::get_if<Compute>(&insns()[at]);
            if (move != nullptr && move->op == Alu::mov && move->src.is_register) reg = move->src.reg;
            else follows = false;
        }
        return last;
    }

    // A tail call keeps the frames below it: a function of a program array starts as deep as the deepest call of one.
    void check_tail_calls() {
        if (!cfg_.tail_calls || options_.platform != Platform::guest) return;
        const bool own_entry = std::any_of(program_.maps.begin(), program_.maps.end(), [](const Map& map) {
            return std::find(map.programs.begin(), map.programs.end(), 0U) != map.programs.end();
        });
        const BlockId first = own_entry                 ? 0
                              : cfg_.entries.size() > 1 ? cfg_.entries[1]
                                                        : static_cast<BlockId>(cfg_.blocks.size());
        unsigned deepest_call = 0;
        for (BlockId id = 0; id < cfg_.blocks.size(); ++id) {
            const Block& block = cfg_.blocks[id];
            if (!block.tail_calls) continue;
            deepest_call = std::max<unsigned>(deepest_call, block.depth);
            if (block.depth == 0 || id < first) continue;
            fail(Rule::call_depth, "a function that a tail call starts makes one from a function that it calls: frames would pile up", block.last);
        }
        for (BlockId id = first; id < cfg_.blocks.size(); ++id) {
            const Block& block = cfg_.blocks[id];
            if (block.depth + deepest_call < abi::max_frames) continue;
            fail(Rule::call_depth, "calls nest deeper than 8 functions, those before the tail call included", block.first);
        }
    }

    void number_sites() {
        std::uint64_t next = no_site + 1;
        for (Block& block : cfg_.blocks) {
            block.site = static_cast<Site>(next);
            next += block.last - block.first + 1;
        }
        if (next > most_sites) fail(Rule::limits, "the program is too large once its calls are inlined", 0);
    }

    // Backward liveness, to a fixpoint: a block is seen again when one after it needs more, which is at most once a register.
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
        if (block.asks) return callee_saved;
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
        if (block.asks) return total;
        for (std::uint32_t at = block.first; at <= block.last; ++at) {
            const Uses own = uses_of(insns()[at]);
            total.reads |= static_cast<std::uint16_t>(own.reads & ~total.writes);
            total.writes |= own.writes;
        }
        return total;
    }

    const Program& program_;
    const Options& options_;
    const abi::Tables& tables_ = tables_of(options_.platform);
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
                      },
                      insn);
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

std::variant<Cfg, Finding> build_cfg(const Program& program, const Options& options) { return Builder{program, options}.run(); }

}  // namespace unibpf::analyser
