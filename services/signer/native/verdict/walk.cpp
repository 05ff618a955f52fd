#include "services/signer/native/verdict/walk.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "services/signer/native/input/refusal.hpp"
#include "services/signer/native/verdict/entailment.hpp"
#include "services/signer/native/verdict/flow.hpp"
#include "services/signer/native/verdict/length.hpp"

namespace unibpf::certificate {
namespace {

class Walk {
  public:
    Walk(const Program& program, Certificate&& certificate)
        : program_{program}, certificate_{std::move(certificate)}, nodes_{certificate_.nodes}, waiting_(nodes_.size()), lengths_(nodes_.size()) {}

    Proof run() {
        find_loops();
        for (std::size_t i = 0; i < program_.roots.size(); ++i) begin(program_.roots[i], certificate_.roots[i]);
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) visit(i);
        check_tail_calls();
        Length most = longest(lengths_, nodes_);
        const std::uint64_t runs = tail_calls_.empty() ? 1 : abi::max_tail_calls + 1;
        most = {std::min(endless, most.instructions * runs), std::min(endless, most.cost * runs)};
        if (most.instructions >= endless) unproved("no bound follows for the length of a run");
        return {most.instructions, most.cost, visited_, states_};
    }

  private:
    // --- loops: those around each node, outermost first

    void find_loops() {
        around_.resize(nodes_.size());
        std::vector<std::uint32_t> open;
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
            while (!open.empty() && nodes_[open.back()].loop_end <= i) open.pop_back();
            if (nodes_[i].loop_end != 0) open.push_back(i);
            if (open.size() > 64) too_large("loops are nested too deep");
            around_[i] = open;
            if (nodes_[i].state) name_loops(*nodes_[i].state, i);
        }
    }

    // A loop of callbacks is counted by its helper.
    bool has_ghost(std::uint32_t head) const { return !nodes_[head].place->asks; }

    void name_loops(State& state, std::uint32_t node) const {
        std::size_t at = 0;
        for (const std::uint32_t head : around_[node]) {
            if (!has_ghost(head)) continue;
            if (at == state.loops.size()) malformed("a state counts fewer loops than are around it");
            state.loops[at++].node = head;
        }
        if (at != state.loops.size()) malformed("a state counts more loops than are around it");
    }

    void count_loops(State& state, std::uint32_t from, std::uint32_t to) const {
        std::erase_if(state.loops, [&](const Loop& loop) { return nodes_[loop.node].loop_end <= to || loop.node > to; });
        const bool returns = from != no_node && to <= from;
        for (Loop& loop : state.loops) {
            if (loop.node != to || !returns) continue;
            loop.rounds.up.term = loop.rounds.up.term.plus(1);
            loop.rounds.down.term = loop.rounds.down.term.minus(1);
            (void)state.narrow(loop.rounds.up.term, Word::signed_between(0, most_rounds));
            (void)state.narrow(loop.rounds.down.term, Word::signed_between(-most_rounds, 0));
        }
        std::size_t at = 0;
        for (const std::uint32_t head : around_[to]) {
            if (!has_ghost(head)) continue;
            if (at == state.loops.size() || state.loops[at].node != head) {
                state.loops.insert(state.loops.begin() + static_cast<std::ptrdiff_t>(at), Loop{head, {Value::constant(0), Value::constant(0)}});
            }
            ++at;
        }
    }

    // --- nodes

    void begin(std::uint32_t root, std::uint32_t node) {
        const auto chain = certificate_.chains.find(0, root, Role::start);
        if (!chain) unproved("a function that may be started is not in the certificate");
        arrive(no_node, node, {*chain, root, false}, State::start());
    }

    void visit(std::uint32_t id) {
        Node& node = nodes_[id];
        if (node.state) {
            ++states_;
            run(id, *node.place, State{*node.state});
        } else if (waiting_[id]) {
            run(id, waiting_[id]->place, std::move(waiting_[id]->state));
            waiting_[id].reset();
        }
    }

    void run(std::uint32_t id, const Place& place, State&& state) {
        ++visited_;
        lengths_[id].rounds = nodes_[id].loop_end == 0 ? 0 : rounds(id, state);
        Flow flow = Block{program_, certificate_.chains, place, std::move(state)}.run();
        lengths_[id] = {flow.instructions, flow.charged, flow.work, lengths_[id].rounds};
        if (flow.tail_call) tail_calls_.push_back(place.chain);
        deepest_[certificate_.chains[place.chain].start] = std::max(deepest_[certificate_.chains[place.chain].start], certificate_.chains[place.chain].depth);
        for (unsigned slot = 0; slot < 2; ++slot) {
            if (!flow.exits[slot]) continue;
            Exit& exit = *flow.exits[slot];
            const std::uint32_t to = nodes_[id].edges[slot];
            if (to == no_node) unproved(where(exit.place) + " can be reached, which the certificate denies");
            const bool into_question = exit.place.asks && to <= id;
            if (into_question && !exit.round_is_over) unproved(where(exit.place) + ": a helper is called again before it returned");
            exit.state.compact();
            arrive(id, to, exit.place, std::move(exit.state));
        }
    }

    static std::string where(const Place& place) { return "instruction " + std::to_string(place.at); }

    void arrive(std::uint32_t from, std::uint32_t to, const Place& place, State&& state) {
        Node& node = nodes_[to];
        if (node.place && !(*node.place == place)) unproved(where(place) + ": an edge leads to a node of another place");
        count_loops(state, from, to);
        if (node.state) {
            if (const char* what = what_does_not_follow(state, *node.state)) unproved(where(place) + ": the certificate claims too much of " + what);
            return;
        }
        if (from != no_node && to <= from) unproved(where(place) + ": a way back to a node without a state");
        if (waiting_[to] || taken_over(to)) unproved(where(place) + ": two ways lead to a node without a state");
        waiting_[to].emplace(Waiting{place, std::move(state)});
    }
    bool taken_over(std::uint32_t node) {
        if (arrived_.empty()) arrived_.resize(nodes_.size(), false);
        const bool before = arrived_[node];
        arrived_[node] = true;
        return before;
    }

    // How often the head can be entered again.
    std::uint64_t rounds(std::uint32_t head, const State& state) const {
        if (!has_ghost(head)) {
            if (state.callbacks.empty()) unproved("a helper calls back that was not called");
            return state.word(state.callbacks.back().limit.term).u.high;
        }
        const Ghost& ghost = state.loops.back().rounds;
        const std::int64_t up = state.range(ghost.up.term).high, down = state.range(ghost.down.term).low;
        const auto rounds = std::min(up < 0 ? most_rounds : up, down > 0 || down == INT64_MIN ? most_rounds : -down);
        if (rounds >= most_rounds) unproved(where(*nodes_[head].place) + ": no bound follows for the loop that begins here");
        return static_cast<std::uint64_t>(rounds);
    }

    // A function that a tail call starts stands on the frames of those that called the function which made it.
    void check_tail_calls() const {
        std::vector<std::uint32_t> targets;
        for (const Map& map : program_.maps) targets.insert(targets.end(), map.functions.begin(), map.functions.end());
        const auto is_target = [&](std::uint32_t chain) { return std::find(targets.begin(), targets.end(), certificate_.chains[chain].at) != targets.end(); };
        std::uint32_t below = 0;
        for (const std::uint32_t chain : tail_calls_) {
            const Chain& one = certificate_.chains[chain];
            below = std::max(below, one.depth);
            if (one.depth > 0 && is_target(one.start)) unproved("frames pile up: a function that a tail call starts makes one from a function that it calls");
        }
        for (const auto& [start, depth] : deepest_) {
            if (is_target(start) && depth + below >= abi::max_frames) unproved("calls nest deeper than 8 functions, those before the tail call included");
        }
    }

    struct Waiting {
        Place place;
        State state;
    };

    const Program& program_;
    Certificate certificate_;
    std::vector<Node>& nodes_;
    std::vector<std::vector<std::uint32_t>> around_;
    std::vector<std::optional<Waiting>> waiting_;
    std::vector<bool> arrived_;
    std::vector<NodeLength> lengths_;
    std::vector<std::uint32_t> tail_calls_;
    std::map<std::uint32_t, std::uint32_t> deepest_;  // frames below the deepest function, by the chain with which the run began
    std::size_t visited_ = 0, states_ = 0;
};

}  // namespace

Proof check(const Program& program, Certificate&& certificate) { return Walk{program, std::move(certificate)}.run(); }

}  // namespace unibpf::certificate
