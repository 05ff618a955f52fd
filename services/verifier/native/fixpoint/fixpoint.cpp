#include "services/verifier/native/fixpoint/fixpoint.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <unordered_map>
#include <utility>

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/checks/checker.hpp"
#include "services/verifier/native/findings/describe.hpp"
#include "services/verifier/native/state/partition.hpp"
#include "services/verifier/native/program/platform.hpp"
#include "services/verifier/native/fixpoint/stack_need.hpp"
#include "services/verifier/native/fixpoint/termination.hpp"
#include "services/verifier/native/fixpoint/work.hpp"
#include "services/verifier/native/effects/transformer.hpp"

namespace unibpf::analyser {
namespace {

// Precision against work. None of these can make an unsafe program pass.
constexpr std::uint64_t unroll_work = 200'000;  // instructions in all
constexpr unsigned most_failures = 2;           // more than those that ended: a loop inside others is not tried again each round
constexpr unsigned joins_before_widening = 2, most_iterations = 64, narrowings = 2;
constexpr unsigned widenings_to_all = 6, widenings_to_exits = 12;  // with thresholds: of all branches, then of those that leave the loop

constexpr std::size_t most_roots = 16;  // of a slice

class Engine {
  public:
    Engine(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto, const Precision& precision, const Records& records)
        : program_{program}, options_{options}, cfg_{cfg}, wto_{wto}, precision_{precision}, record_{records.invariants}, certificate_{records.certificate}, pending_(cfg.blocks.size()), frame_bytes_(cfg.copies.size()) {}

    Analysis run() {
        for (std::size_t i = 0; i < cfg_.entries.size(); ++i) {
            const BlockId block = cfg_.entries[i];
            State entry = State::entry(options_.platform);
            entry.relates_shares = precision_.relates_shares;
            if (certificate_ != nullptr) entry.trail = certificate_->start(i);
            enter_loops(entry, block, 0);
            arrive(block, std::move(entry));
        }
        for (const Component& component : wto_.components) visit(component, true);
        StackNeed need = stack_need(cfg_, frame_bytes_, options_.platform);
        result_.stack_bytes = need.bytes;
        if (need.finding) add_finding(std::move(*need.finding));
        return std::move(result_);
    }

  private:
    using Pending = std::unique_ptr<State>;
    using States = std::vector<Pending>;  // disjuncts: one of them holds

    void visit(const Component& component, bool checking) {
        if (component.is_loop) return visit_loop(component, checking);
        States waiting = take(component.head);
        for (const Pending& state : waiting) run_block(component.head, *state, checking);
    }

    States take(BlockId block) { return std::exchange(pending_[block], {}); }

    static Pending joined(States&& states) {
        if (states.empty()) return nullptr;
        for (std::size_t i = 1; i < states.size(); ++i) *states[0] = join(*states[0], *states[i]);
        return std::move(states[0]);
    }

    // --- loops

    struct Tries {
        unsigned ended = 0, failed = 0;
    };  // of unrolling a loop
    struct Active {
        bool is_final = false, unrolling = false;
    };
    struct Entry {
        BlockId block;
        Pending state;
    };
    struct Held {
        BlockId block;
        Pending state;
        std::size_t common;
    };  // loops that both ends of the edge share

    // Each way into the loop is followed by itself, unless it is entered elsewhere than at its head.
    void visit_loop(const Component& loop, bool checking) {
        std::vector<Entry> entries;
        take_entries(loop, entries);
        const bool at_head = std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.block == loop.head; });
        if (!at_head) return iterate(loop, merged(std::move(entries)), checking);
        for (Entry& entry : entries) {
            if (unroll(loop, *entry.state, checking)) continue;
            std::vector<Entry> single;
            single.push_back(std::move(entry));
            iterate(loop, single, checking);
        }
    }

    // States that wait at any block of the loop have come from outside it.
    void take_entries(const Component& component, std::vector<Entry>& entries) {
        for (Pending& state : take(component.head)) entries.push_back({component.head, std::move(state)});
        for (const Component& inner : component.body) take_entries(inner, entries);
    }

    std::vector<Entry> merged(std::vector<Entry>&& entries) {
        std::vector<Entry> result;
        for (Entry& entry : entries) {
            if (!result.empty() && result.back().block == entry.block) join_into(*result.back().state, *entry.state);
            else result.push_back(std::move(entry));
        }
        return result;
    }

    // Runs the loop's body once, from the states at the head and those that enter elsewhere; returns what comes back to the head.
    States pass(const Component& loop, const States& at_head, const std::vector<Entry>& entries, bool checking) {
        for (const Entry& entry : entries) {
            if (entry.block != loop.head) arrive(entry.block, State{*entry.state});
        }
        for (const Pending& start : at_head) {
            State state = *start;
            run_block(loop.head, state, checking);
        }
        for (const Component& inner : loop.body) visit(inner, checking);
        return take(loop.head);
    }

    // Exact execution of a loop that ends soon. Exits are held back until it has ended.
    bool unroll(const Component& loop, const State& entry, bool checking) {
        Tries& tries = tries_[loop.head];
        if (work_ > unroll_work || !options_.unrolling || tries.failed > most_failures + tries.ended) return false;
        const std::size_t findings_before = result_.findings.size(), held_before = held_.size();
        const auto bounds_before = result_.loop_bounds;
        const auto recorded_before = certificate_ != nullptr ? certificate_->mark() : Recorder::Mark{};
        active_.push_back({true, true});
        if (certificate_ != nullptr) certificate_->enter_loop();
        States states;
        states.push_back(std::make_unique<State>(entry));
        bool undecided = false;
        unsigned iterations = 0;
        for (; !states.empty() && iterations <= (undecided ? precision_.unroll_undecided : precision_.unroll_decided) && work_ <= unroll_work; ++iterations) {
            const std::size_t exits = held_.size();
            states = pass(loop, states, {}, checking);
            undecided |= !states.empty() && held_.size() > exits;
        }
        active_.pop_back();
        if (certificate_ != nullptr) certificate_->leave_loop();
        ++(states.empty() ? tries.ended : tries.failed);
        if (!states.empty()) {
            if (certificate_ != nullptr) certificate_->go_back(recorded_before);
            held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(held_before), held_.end());
            result_.findings.resize(findings_before);
            result_.loop_bounds = bounds_before;
            return false;
        }
        if (checking) note_bound(loop.head, iterations - 1);
        if (checking && result_.findings.size() > findings_before) say_of_all_rounds(loop, entry, findings_before);
        release(held_before);
        return true;
    }

    // What one round broke is said of all of them: the same finding, if there is one, with what an invariant of the loop knows.
    // Nothing leaves the loop meanwhile.
    void say_of_all_rounds(const Component& loop, const State& entry, std::size_t from) {
        if (std::exchange(generalising_, true)) return;
        Recorder* const certificate = std::exchange(certificate_, nullptr);  // of a program that is refused there is none
        std::vector<Finding> of_rounds(std::make_move_iterator(result_.findings.begin() + static_cast<std::ptrdiff_t>(from)), std::make_move_iterator(result_.findings.end()));
        result_.findings.resize(from);
        const auto bounds_before = result_.loop_bounds;
        const std::size_t held_before = held_.size(), active_before = active_.size();
        std::vector<Entry> entries;
        entries.push_back({loop.head, std::make_unique<State>(entry)});
        active_.push_back({});
        try {
            Pending invariant = std::make_unique<State>(entry);
            narrow(loop, entries, &entry, invariant, stabilise(loop, entries, invariant));
            pass(loop, only(invariant), entries, true);
        } catch (const GaveUp&) {  // the rounds' own words stay
        }
        active_.resize(active_before);
        std::vector<Entry> left;
        take_entries(loop, left);
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(held_before), held_.end());
        result_.loop_bounds = bounds_before;
        for (Finding& finding : of_rounds) {
            for (std::size_t i = from; i < result_.findings.size(); ++i) {
                if (result_.findings[i].instruction == finding.instruction && result_.findings[i].rule == finding.rule) finding = result_.findings[i];
            }
        }
        result_.findings.resize(from);
        for (Finding& finding : of_rounds) result_.findings.push_back(std::move(finding));
        certificate_ = certificate;
        generalising_ = false;
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

    // The invariant at the head, as the one state that `pass` starts from.
    static States only(const Pending& state) {
        States result;
        if (state) result.push_back(std::make_unique<State>(*state));
        return result;
    }

    void iterate(const Component& loop, const std::vector<Entry>& entries, bool checking) {
        const State* outside = nullptr;
        for (const Entry& entry : entries) {
            if (entry.block == loop.head) outside = entry.state.get();
        }
        if (entries.empty()) return;
        active_.push_back({});
        if (certificate_ != nullptr) certificate_->enter_loop();
        Pending invariant = outside == nullptr ? nullptr : std::make_unique<State>(*outside);
        const bool comes_back = narrow(loop, entries, outside, invariant, stabilise(loop, entries, invariant));
        if (!comes_back && outside != nullptr) invariant = std::make_unique<State>(*outside);  // nothing ever comes back
        active_.back().is_final = true;
        if (checking && invariant) check_bound(loop, *invariant);
        if (checking && certificate_ != nullptr) last_pass(loop, invariant, outside, entries);
        else pass(loop, only(invariant), entries, checking);
        active_.pop_back();
        if (certificate_ != nullptr) certificate_->leave_loop();
    }

    // Makes the invariant smaller while it stays one; false where nothing comes back at last.
    bool narrow(const Component& loop, const std::vector<Entry>& entries, const State* outside, Pending& invariant, Pending back) {
        for (unsigned i = 0; i < narrowings && back; ++i) {
            Pending next = std::make_unique<State>(outside == nullptr ? *back : join(*outside, *back, {false, true, nullptr}));
            const bool better = !leq(*invariant, *next);
            Pending wider = std::exchange(invariant, std::move(next));
            if (!better) break;
            back = joined(pass(loop, only(invariant), entries, false));
            if (!back || leq(*back, *invariant)) continue;
            invariant = std::move(wider);  // the narrower one holds as well, but whoever looks only once cannot see that
            break;
        }
        return back != nullptr;
    }

    // What comes back to the head is part of its invariant: in the certificate, a way back.
    void last_pass(const Component& loop, const Pending& invariant, const State* outside, const std::vector<Entry>& entries) {
        if (invariant) {
            invariant->trail = outside == nullptr ? 0 : outside->trail;
            certificate_->begin_rounds();
        }
        const std::uint32_t head = certificate_->head();
        for (const Pending& back : pass(loop, only(invariant), entries, true)) {
            if (head != no_node) certificate_->lead(back->trail, head);
        }
        if (invariant) certificate_->end_rounds();
    }

    // Grows the invariant until the loop's body leads back into it; returns what comes back then.
    Pending stabilise(const Component& loop, const std::vector<Entry>& entries, Pending& invariant) {
        const auto all = collect_thresholds(loop, [](const Block&) { return true; });
        const auto exits = collect_thresholds(loop, [&](const Block& block) { return block.taken != no_block && leaves(loop.head, block.taken) != leaves(loop.head, block.next); });
        for (unsigned i = 0; i < most_iterations; ++i) {
            Pending back = joined(pass(loop, only(invariant), entries, false));
            if (!back) return nullptr;
            if (!invariant) {
                invariant = std::move(back);
                continue;
            }
            if (leq(*back, *invariant)) return back;
            const unsigned widenings = i < joins_before_widening ? 0 : i - joins_before_widening + 1;
            const auto* thresholds = widenings <= widenings_to_all     ? &all
                                     : widenings <= widenings_to_exits ? &exits
                                                                       : nullptr;
            JoinOptions options{widenings > 0, true, thresholds};
            invariant = std::make_unique<State>(join(*invariant, *back, options));
        }
        throw GaveUp{"a loop's invariant does not become stable"};
    }

    // What numbers are compared with in the loop, in blocks that are of interest.
    template <typename F>
    std::vector<std::int64_t> collect_thresholds(const Component& loop, F&& wanted) const {
        std::vector<std::int64_t> result{-1, 0, 1, 255, largest_packet};
        add_thresholds(loop, wanted, result);
        std::sort(result.begin(), result.end());
        result.erase(std::unique(result.begin(), result.end()), result.end());
        return result;
    }

    template <typename F>
    void add_thresholds(const Component& component, F&& wanted, std::vector<std::int64_t>& out) const {
        const Block& block = cfg_.blocks[component.head];
        for (std::uint32_t at = block.first; at <= block.last && out.size() < 256 && wanted(block); ++at) {
            if (const auto* branch = std::get_if<Branch>(&program_.insns[at]); branch != nullptr && !branch->right.is_register) {
                for (const int near : {-1, 0, 1}) out.push_back(branch->right.imm + near);
            }
        }
        for (const Component& inner : component.body) add_thresholds(inner, wanted, out);
    }

    bool leaves(BlockId head, BlockId to) const {
        const auto& around = wto_.loops_of[to];
        return std::find(around.begin(), around.end(), head) == around.end();
    }

    void check_bound(const Component& loop, const State& invariant) {
        const BlockId head = loop.head;
        if (cfg_.blocks[head].asks) return note_bound(head, most_callbacks_of(head, invariant));
        const LoopCounter* counter = nullptr;
        for (const LoopCounter& candidate : invariant.counters) {
            if (candidate.head == head) counter = &candidate;
        }
        const auto bound = counter == nullptr ? std::nullopt : loop_bound(invariant, *counter);
        note_bound(head, bound);
        if (bound || !options_.termination) return;
        Finding finding = unbounded_loop(invariant, program_, cfg_.blocks[head], cfg_);
        if (const auto step = step_of(loop, invariant)) say_step(*step, invariant, finding);
        finding.roots.push_back({head, cfg_.blocks[head].first, 0});
        add_exits(loop, head, finding.roots);
        add_finding(std::move(finding));
    }

    struct Step {
        Register pointer, by;
    };
    // A pointer into the packet that each round moves by a number it has just read: 0 would be for ever.
    std::optional<Step> step_of(const Component& component, const State& invariant) const {
        const Block& block = cfg_.blocks[component.head];
        for (std::uint32_t at = block.first; !block.asks && at <= block.last; ++at) {
            const auto* compute = std::get_if<Compute>(&program_.insns[at]);
            if (compute == nullptr || compute->op != Alu::add || compute->width != 64 || !compute->src.is_register) continue;
            const Register moved = compute->dst;
            if (invariant.registers[moved].kind == Kind::packet) return Step{moved, compute->src.reg};
        }
        for (const Component& inner : component.body) {
            if (const auto found = step_of(inner, invariant)) return found;
        }
        return std::nullopt;
    }
    void say_step(const Step& step, const State& invariant, Finding& finding) const {
        finding.message = "no bound can be proved for the loop that begins here: each round moves " + register_name(step.pointer) + " by a number that may be 0";
        finding.known.insert(finding.known.begin(), describe_register(invariant, program_, step.pointer));
        finding.hint = "leave the loop where the step is 0 (`if (length == 0) break;`), or count its rounds, `for (int i = 0; i < 64; i++)`";
    }

    // What decides whether the loop goes on.
    void add_exits(const Component& component, BlockId head, std::vector<SliceRoot>& roots) const {
        if (roots.size() == most_roots) return;
        const BlockId id = component.head;
        const Block& block = cfg_.blocks[id];
        if (block.taken != no_block && leaves(head, block.taken) != leaves(head, block.next)) roots.push_back({id, block.last, uses_of(program_.insns[block.last]).reads});
        for (const Component& inner : component.body) add_exits(inner, head, roots);
    }

    std::optional<std::uint64_t> most_callbacks_of(BlockId head, const State& invariant) const {
        const std::uint64_t limit = invariant.bounds(invariant.callbacks.back().limit.term()).u64.high;
        if (helper_at(cfg_.blocks[head].first).helper == abi::Helper::loop) return std::min<std::uint64_t>(limit, most_callbacks);
        return limit < UINT32_MAX ? std::optional{limit} : std::nullopt;
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
        records_ = checking && certificate_ != nullptr;
        if (records_) certificate_->begin(id, state);
        if (block.asks) return ask(id, block, state);
        bool last_held = true;
        for (std::uint32_t at = block.first; at <= block.last; ++at) {
            const Insn& insn = program_.insns[at];
            if (checking && record_ != nullptr) record_->include(at, state);
            last_held = holds(state, insn, {id, at}, checking);
            const Setting setting{program_, options_, block.site + (at - block.first), at};
            if (last_held) {
                if (checking) measure_stack(state, insn, block), measure_work(state, insn, {id, at});
                apply(state, insn, setting);
            } else if (checking || !apply_assumed(state, insn, setting)) {
                return;
            }
        }
        leave_block(id, block, state, last_held);
    }

    struct Place {
        BlockId block;
        std::uint32_t instruction;
    };

    bool holds(const State& state, const Insn& insn, Place place, bool checking) {
        const Block& block = cfg_.blocks[place.block];
        const Copy& copy = cfg_.copies[block.copy];
        const Where where{copy.role, copy.in_callback, block.site + (place.instruction - block.first), block.callee, tables_};
        for (const Assertion& assertion : required(insn, where)) {
            auto finding = check(state, assertion, program_, options_);
            if (!finding) continue;
            finding->instruction = place.instruction;
            const std::uint16_t about = finding->registers != 0 ? finding->registers : uses_of(insn).reads;
            finding->roots = {{place.block, place.instruction, about}};
            if (checking) add_finding(std::move(*finding));
            return false;
        }
        return true;
    }

    // "Once more?": see cfg.hpp.
    void ask(BlockId id, const Block& block, State& state) {
        State done = state;
        if (leave_callbacks(done, counter_of(done, id), false)) deliver(id, Way::taken, std::move(done));
        if (block.next == no_block || !enter_callback(state, helper_at(block.first), counter_of(state, id))) return;
        deliver(id, Way::next, std::move(state));
    }

    static const LoopCounter* counter_of(const State& state, BlockId head) {
        for (const LoopCounter& counter : state.counters) {
            if (counter.head == head) return &counter;
        }
        return nullptr;
    }

    const abi::HelperRow& helper_at(std::uint32_t at) const { return *tables_.find_helper(std::get<CallHelper>(program_.insns[at]).number); }

    void leave_block(BlockId id, const Block& block, State& state, bool last_held) {
        const Insn& insn = program_.insns[block.last];
        if (const auto* branch = std::get_if<Branch>(&insn); branch != nullptr) {
            State taken = state;
            if (!last_held || follow(taken, *branch, true, options_)) deliver(id, Way::taken, std::move(taken));
            if (!last_held || follow(state, *branch, false, options_)) deliver(id, Way::next, std::move(state));
            return;
        }
        if (std::holds_alternative<CallHelper>(insn) && block.taken != no_block) return leave_by_tail_call(id, state);
        if (block.next == no_block) return;
        if (std::holds_alternative<CallLocal>(insn)) enter_call(state);
        if (std::holds_alternative<Exit>(insn)) leave_call(state);
        if (std::holds_alternative<Exit>(insn) && block.taken != no_block) return leave_callback(id, state);
        deliver(id, Way::next, std::move(state));
    }

    // From a subprogram: the function that goes on instead returns to the subprogram's caller.
    void leave_by_tail_call(BlockId id, State& state) {
        State caller = state;
        leave_call(caller);
        caller.forget_packet(options_.platform);
        caller.registers[0] = caller.number(Scalar::top());
        deliver(id, Way::taken, std::move(caller));
        deliver(id, Way::next, std::move(state));
    }

    // 0 asks for more, anything else is enough.
    void leave_callback(BlockId id, State& state) {
        const auto answer = state.registers[0].as_number();
        State enough = state;
        const BlockId question = cfg_.blocks[id].next;
        const bool may_be_enough = !answer || enough.assume(Condition::ne, 64, true, *answer, Number::constant(0));
        if (may_be_enough && leave_callbacks(enough, counter_of(enough, question), true)) deliver(id, Way::taken, std::move(enough));
        if (answer && !state.assume(Condition::eq, 64, true, *answer, Number::constant(0))) return;
        deliver(id, Way::next, std::move(state));
    }

    // Along an edge: counters of loops that are left go, those of loops that are entered start, a way back to a head counts.
    void deliver(BlockId from, Way way, State&& state) {
        const BlockId to = way == Way::next ? cfg_.blocks[from].next : cfg_.blocks[from].taken;
        state.trail = records_ ? certificate_->leave(way) : 0;
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
        const bool possible = state.narrow(counter.up.term(), Scalar::signed_range(1, largest_count)) &&
                              state.narrow(counter.down.term(), Scalar::signed_range(-largest_count, -1));
        (void)possible;
    }

    void enter_loops(State& state, BlockId to, std::size_t from) const {
        const auto& loops = wto_.loops_of[to];
        for (std::size_t i = from; i < loops.size(); ++i) state.counters.push_back({loops[i], Value::constant(0), Value::constant(0)});
    }

    void arrive(BlockId block, State&& state) {
        States& waiting = pending_[block];
        for (Pending& other : waiting) {
            if (precision_.disjuncts > 1 && worth_separating(*other, state)) continue;
            join_into(*other, state);
            return;
        }
        if (waiting.size() < precision_.disjuncts) waiting.push_back(std::make_unique<State>(std::move(state)));
        else join_into(*waiting.back(), state);
    }

    void join_into(State& state, const State& other) {
        const auto trail = certificate_ == nullptr ? 0 : certificate_->merge(state.trail, other.trail);
        state = join(state, other);
        state.trail = trail;
    }

    // --- the rest

    void add_finding(Finding&& finding) {
        for (const Finding& known : result_.findings) {
            if (known.instruction == finding.instruction && known.rule == finding.rule) return;
        }
        if (result_.findings.size() < options_.max_findings) result_.findings.push_back(std::move(finding));
    }

    void measure_stack(const State& state, const Insn& insn, const Block& block) {
        if (const auto* load = std::get_if<Load>(&insn)) measure(state, load->base, load->offset, block);
        if (const auto* store = std::get_if<Store>(&insn)) measure(state, store->base, store->offset, block);
        if (const auto* update = std::get_if<AtomicUpdate>(&insn)) measure(state, update->base, update->offset, block);
        if (std::holds_alternative<CallHelper>(insn)) {
            for (Register reg = 1; reg <= 5; ++reg) measure(state, reg, 0, block);
        }
    }
    void measure(const State& state, Register reg, std::int16_t offset, const Block& block) {
        const Value& base = state.registers[reg];
        if (base.kind != Kind::stack) return;
        const auto depth = -state.range(base.moved(offset)).low;
        if (depth <= 0 || depth > static_cast<std::int64_t>(Frame::size)) return;
        std::uint32_t copy = block.copy;
        for (unsigned frame = block.depth; frame > base.object; --frame) copy = cfg_.copies[copy].caller;
        frame_bytes_[copy] = std::max(frame_bytes_[copy], static_cast<std::uint32_t>(depth + 7) / 8 * 8);
    }

    // On Linux nothing is counted while a program runs.
    void measure_work(const State& state, const Insn& insn, Place place) {
        const auto* call = std::get_if<CallHelper>(&insn);
        if (call == nullptr || options_.platform != Platform::guest) return;
        const abi::cost::Units units = work_of_call(state, *tables_.find_helper(call->number), program_, shapes_);
        if (units == 0) return;
        abi::cost::Units& most = result_.work[{place.block, place.instruction}];
        most = std::max(most, units);
    }

    void tick(std::uint64_t instructions) {
        work_ += instructions;
        if (precision_.work != 0 && work_ > precision_.work) throw GaveUp{"a closer look takes too long"};
        if (++ticks_ % 256 != 0) return;
        if (static_cast<double>(std::clock()) / CLOCKS_PER_SEC > options_.max_seconds) throw GaveUp{"the analysis takes longer than its limit"};
    }

    const Program& program_;
    const Options& options_;
    const abi::Tables& tables_ = tables_of(options_.platform);
    const Cfg& cfg_;
    const Wto& wto_;
    const Precision precision_;
    Invariants* const record_;
    Recorder* certificate_;
    bool records_ = false;         // the block that runs is one of the certificate's
    std::vector<States> pending_;
    std::vector<Active> active_;   // parallel to the loops around the block that runs
    std::vector<Held> held_;       // exits of loops that are being unrolled
    std::vector<std::uint32_t> frame_bytes_;  // by copy
    const std::vector<abi::cost::MapShape> shapes_ = shapes_of(program_, options_);
    std::unordered_map<BlockId, Tries> tries_;  // by head
    std::uint64_t work_ = 0, ticks_ = 0;
    bool generalising_ = false;
    Analysis result_;
};

}  // namespace

Analysis analyse(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto, const Precision& precision, const Records& records) {
    if (records.invariants != nullptr) records.invariants->clear();
    if (records.certificate != nullptr) *records.certificate = {};
    return Engine{program, options, cfg, wto, precision, records}.run();
}

}  // namespace unibpf::analyser
