#include "services/verifier/native/fixpoint.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "services/verifier/native/checker.hpp"
#include "services/verifier/native/termination.hpp"
#include "services/verifier/native/transformer.hpp"

namespace unibpf::analyser {
namespace {

// Precision against work. None of these can make an unsafe program pass.
constexpr unsigned unroll_decided = 256;       // iterations, where each decides whether another follows
constexpr unsigned unroll_undecided = 24;      // iterations, where paths may leave the loop or stay
constexpr std::uint64_t unroll_work = 200'000; // instructions in all
constexpr unsigned joins_before_widening = 2, widenings_with_thresholds = 6, most_iterations = 64, narrowings = 2;

class Engine {
  public:
    Engine(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto)
        : program_{program}, options_{options}, cfg_{cfg}, wto_{wto}, pending_(cfg.blocks.size()) {}

    Analysis run() {
        pending_[0] = std::make_unique<State>(State::entry(options_.platform));
        if (!wto_.loops_of[0].empty()) enter_loops(*pending_[0], 0, 0);
        for (const Component& component : wto_.components) visit(component, true);
        for (const std::uint32_t depth : frame_bytes_) result_.stack_bytes += depth;
        return std::move(result_);
    }

  private:
    using Pending = std::unique_ptr<State>;

    void visit(const Component& component, bool checking) {
        if (component.is_loop) {
            visit_loop(component, checking);
        } else if (pending_[component.head]) {
            const Pending state = std::move(pending_[component.head]);
            run_block(component.head, *state, checking);
        }
    }

    // --- loops

    struct Active { bool is_final = false, unrolling = false; };
    struct Entry { BlockId block; Pending state; };
    struct Held { BlockId block; Pending state; std::size_t common; };  // loops that both ends of the edge share

    void visit_loop(const Component& loop, bool checking) {
        std::vector<Entry> entries;
        take_entries(loop, entries);
        if (entries.empty()) return;
        if (unroll(loop, entries, checking)) return;
        iterate(loop, entries, checking);
    }

    // States that wait at any block of the loop have come from outside it.
    void take_entries(const Component& component, std::vector<Entry>& entries) {
        if (pending_[component.head]) entries.push_back({component.head, std::move(pending_[component.head])});
        for (const Component& inner : component.body) take_entries(inner, entries);
    }

    // Runs the loop's body once. `at_head` is the state at the head, if any; returns what comes back to the head.
    Pending pass(const Component& loop, const State* at_head, const std::vector<Entry>& entries, bool checking) {
        for (const Entry& entry : entries) {
            if (entry.block != loop.head) pending_[entry.block] = std::make_unique<State>(*entry.state);
        }
        if (at_head != nullptr) {
            State state = *at_head;
            run_block(loop.head, state, checking);
        }
        for (const Component& inner : loop.body) visit(inner, checking);
        return std::move(pending_[loop.head]);
    }

    // Exact execution of a loop that ends soon. Exits are held back until it has ended.
    bool unroll(const Component& loop, const std::vector<Entry>& entries, bool checking) {
        if (entries.size() != 1 || entries[0].block != loop.head || work_ > unroll_until_) return false;
        const std::size_t findings_before = result_.findings.size(), held_before = held_.size();
        const auto bounds_before = result_.loop_bounds;
        active_.push_back({true, true});
        Pending state = std::make_unique<State>(*entries[0].state);
        bool undecided = false;
        unsigned iterations = 0;
        for (; state && iterations <= (undecided ? unroll_undecided : unroll_decided) && work_ <= unroll_until_; ++iterations) {
            const std::size_t exits = held_.size();
            Pending next = pass(loop, state.get(), {}, checking);
            undecided |= next && held_.size() > exits;
            state = std::move(next);
        }
        active_.pop_back();
        if (state) {
            held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(held_before), held_.end());
            result_.findings.resize(findings_before);
            result_.loop_bounds = bounds_before;
            return false;
        }
        if (checking) note_bound(loop.head, iterations - 1);
        release(held_before);
        return true;
    }

    // What leaves a loop further out that is being unrolled too stays back until that has ended.
    void release(std::size_t from) {
        std::vector<Held> exits(std::make_move_iterator(held_.begin() + static_cast<std::ptrdiff_t>(from)), std::make_move_iterator(held_.end()));
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(from), held_.end());
        for (Held& exit : exits) {
            if (leaves_unrolling(exit.common)) held_.push_back(std::move(exit));
            else arrive(exit.block, std::move(*exit.state));
        }
    }

    bool leaves_unrolling(std::size_t common) const {
        return std::any_of(active_.begin() + static_cast<std::ptrdiff_t>(std::min(common, active_.size())), active_.end(), [](const Active& loop) { return loop.unrolling; });
    }

    void iterate(const Component& loop, const std::vector<Entry>& entries, bool checking) {
        const State* outside = nullptr;
        for (const Entry& entry : entries) {
            if (entry.block == loop.head) outside = entry.state.get();
        }
        active_.push_back({false});
        Pending invariant = outside == nullptr ? nullptr : std::make_unique<State>(*outside);
        Pending back = stabilise(loop, entries, invariant);
        for (unsigned i = 0; i < narrowings && back; ++i) {
            Pending next = std::make_unique<State>(outside == nullptr ? *back : join(*outside, *back, {false, true, nullptr}));
            const bool better = !leq(*invariant, *next);
            invariant = std::move(next);
            if (!better) break;
            back = pass(loop, invariant.get(), entries, false);
        }
        if (!back && outside != nullptr) invariant = std::make_unique<State>(*outside);  // nothing ever comes back
        active_.back().is_final = true;
        if (checking && invariant) check_bound(loop.head, *invariant);
        pass(loop, invariant.get(), entries, checking);
        active_.pop_back();
    }

    // Grows the invariant until the loop's body leads back into it; returns what comes back then.
    Pending stabilise(const Component& loop, const std::vector<Entry>& entries, Pending& invariant) {
        const auto thresholds = collect_thresholds(loop);
        for (unsigned i = 0; i < most_iterations; ++i) {
            Pending back = pass(loop, invariant.get(), entries, false);
            if (!back) return nullptr;
            if (!invariant) {
                invariant = std::move(back);
                continue;
            }
            if (leq(*back, *invariant)) return back;
            const unsigned widenings = i < joins_before_widening ? 0 : i - joins_before_widening + 1;
            JoinOptions options{widenings > 0, true, widenings <= widenings_with_thresholds ? &thresholds : nullptr};
            invariant = std::make_unique<State>(join(*invariant, *back, options));
        }
        throw GaveUp{"a loop's invariant does not become stable"};
    }

    std::vector<std::int64_t> collect_thresholds(const Component& loop) const {
        std::vector<std::int64_t> result{-1, 0, 1, 255, largest_packet};
        add_thresholds(loop, result);
        std::sort(result.begin(), result.end());
        result.erase(std::unique(result.begin(), result.end()), result.end());
        return result;
    }

    void add_thresholds(const Component& component, std::vector<std::int64_t>& out) const {
        const Block& block = cfg_.blocks[component.head];
        for (std::uint32_t at = block.first; at <= block.last && out.size() < 256; ++at) {
            if (const auto* branch = std::get_if<Branch>(&program_.insns[at]); branch != nullptr && !branch->right.is_register) {
                for (const int near : {-1, 0, 1}) out.push_back(branch->right.imm + near);
            }
        }
        for (const Component& inner : component.body) add_thresholds(inner, out);
    }

    void check_bound(BlockId head, const State& invariant) {
        const LoopCounter* counter = nullptr;
        for (const LoopCounter& candidate : invariant.counters) {
            if (candidate.head == head) counter = &candidate;
        }
        const auto bound = counter == nullptr ? std::nullopt : loop_bound(invariant, *counter);
        note_bound(head, bound);
        if (bound || !options_.termination) return;
        add_finding(unbounded_loop(invariant, program_, cfg_.blocks[head], cfg_));
    }

    void note_bound(BlockId head, std::optional<std::uint64_t> bound) {
        const auto [place, is_new] = result_.loop_bounds.try_emplace(head, bound);
        if (is_new || !place->second) return;
        place->second = bound ? std::optional{std::max(*place->second, *bound)} : std::nullopt;
    }

    // --- blocks

    void run_block(BlockId id, State& state, bool checking) {
        const Block& block = cfg_.blocks[id];
        tick(block.last - block.first + 1);
        bool last_held = true;
        for (std::uint32_t at = block.first; at <= block.last; ++at) {
            const Insn& insn = program_.insns[at];
            last_held = holds(state, insn, at, block.depth, checking);
            if (last_held) {
                if (checking) measure_stack(state, insn);
                apply(state, insn, program_, options_);
            } else if (checking || !apply_assumed(state, insn, options_)) {
                return;
            }
        }
        leave_block(id, block, state, last_held);
    }

    bool holds(const State& state, const Insn& insn, std::uint32_t at, unsigned depth, bool checking) {
        for (const Assertion& assertion : required(insn, depth == 0)) {
            auto finding = check(state, assertion, program_, options_);
            if (!finding) continue;
            finding->instruction = at;
            if (checking) add_finding(std::move(*finding));
            return false;
        }
        return true;
    }

    void leave_block(BlockId id, const Block& block, State& state, bool last_held) {
        const Insn& insn = program_.insns[block.last];
        if (const auto* branch = std::get_if<Branch>(&insn); branch != nullptr) {
            State taken = state;
            if (!last_held || follow(taken, *branch, true)) deliver(id, block.taken, std::move(taken));
            if (!last_held || follow(state, *branch, false)) deliver(id, block.next, std::move(state));
            return;
        }
        if (block.next == no_block) return;
        if (std::holds_alternative<CallLocal>(insn)) enter_call(state);
        if (std::holds_alternative<Exit>(insn)) leave_call(state);
        deliver(id, block.next, std::move(state));
    }

    // Along an edge: counters of loops that are left go, those of loops that are entered start, a way back to a head counts.
    void deliver(BlockId from, BlockId to, State&& state) {
        const auto &left = wto_.loops_of[from], &entered = wto_.loops_of[to];
        std::size_t common = 0;
        while (common < left.size() && common < entered.size() && left[common] == entered[common]) ++common;
        for (std::size_t i = common; i < left.size(); ++i) {
            if (!active_[i].is_final) return;  // only final invariants leave a loop
        }
        state.counters.resize(common);
        if (common > 0 && entered[common - 1] == to && entered.size() == common) count(state, common - 1);
        enter_loops(state, to, common);
        for (Register reg = 0; reg < register_count; ++reg) {
            if ((cfg_.blocks[to].live >> reg & 1) == 0) state.registers[reg] = {};
        }
        if (leaves_unrolling(common)) held_.push_back({to, std::make_unique<State>(std::move(state)), common});
        else arrive(to, std::move(state));
    }

    static void count(State& state, std::size_t index) {
        LoopCounter& counter = state.counters[index];
        counter.up = counter.up.moved(1);
        counter.down = counter.down.moved(-1);
        // A bound that no machine reaches: keeps the counters from wrapping in the abstract.
        const bool possible = state.narrow(counter.up, Scalar::signed_range(1, largest_count)) &&
                              state.narrow(counter.down, Scalar::signed_range(-largest_count, -1));
        (void)possible;
    }

    void enter_loops(State& state, BlockId to, std::size_t from) const {
        const auto& loops = wto_.loops_of[to];
        for (std::size_t i = from; i < loops.size(); ++i) state.counters.push_back({loops[i], Value::constant(0), Value::constant(0)});
    }

    void arrive(BlockId block, State&& state) {
        Pending& waiting = pending_[block];
        if (!waiting) {
            waiting = std::make_unique<State>(std::move(state));
            return;
        }
        *waiting = join(*waiting, state);
    }

    // --- the rest

    void add_finding(Finding&& finding) {
        for (const Finding& known : result_.findings) {
            if (known.instruction == finding.instruction && known.rule == finding.rule) return;
        }
        if (result_.findings.size() < options_.max_findings) result_.findings.push_back(std::move(finding));
    }

    void measure_stack(const State& state, const Insn& insn) {
        if (const auto* load = std::get_if<Load>(&insn)) measure(state, load->base, load->offset);
        if (const auto* store = std::get_if<Store>(&insn)) measure(state, store->base, store->offset);
        if (const auto* update = std::get_if<AtomicUpdate>(&insn)) measure(state, update->base, update->offset);
        if (std::holds_alternative<CallHelper>(insn)) {
            for (Register reg = 1; reg <= 5; ++reg) measure(state, reg, 0);
        }
    }
    void measure(const State& state, Register reg, std::int16_t offset) {
        const Value& base = state.registers[reg];
        if (base.kind != Kind::stack) return;
        const auto depth = -state.range(base.moved(offset)).low;
        if (depth > 0 && depth <= Frame::size) frame_bytes_[base.object] = std::max(frame_bytes_[base.object], static_cast<std::uint32_t>(depth + 7) / 8 * 8);
    }

    void tick(std::uint64_t instructions) {
        work_ += instructions;
        if (++ticks_ % 256 != 0) return;
        if (static_cast<double>(std::clock()) / CLOCKS_PER_SEC > options_.max_seconds) throw GaveUp{"the analysis takes longer than its limit"};
    }

    const Program& program_;
    const Options& options_;
    const Cfg& cfg_;
    const Wto& wto_;
    std::vector<Pending> pending_;
    std::vector<Active> active_;   // parallel to the loops around the block that runs
    std::vector<Held> held_;       // exits of loops that are being unrolled
    std::array<std::uint32_t, abi::max_frames> frame_bytes_{};
    std::uint64_t work_ = 0, unroll_until_ = unroll_work, ticks_ = 0;
    Analysis result_;
};

}  // namespace

Analysis analyse(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto) {
    return Engine{program, options, cfg, wto}.run();
}

}  // namespace unibpf::analyser
