#include "services/signer/native/verdict/flow.hpp"

#include <algorithm>

#include "services/signer/native/input/refusal.hpp"
#include "services/signer/native/steps/cost.hpp"

namespace unibpf::certificate {
namespace {

// RFC 9669 2.1: r6 to r9 and r10 survive a call, r1 to r5 do not.
void push_frame(State& state) {
    auto& four = state.saved.emplace_back();
    for (unsigned i = 0; i < four.size(); ++i) {
        four[i] = state.reg[6 + i];
        state.reg[6 + i] = {};
    }
    state.reg[0] = {};
    state.reg[frame_pointer] = Value::pointer(Kind::stack, state.frames.size());
    state.frames.emplace_back();
}

void pop_frame(State& state) {
    state.pop_frame();
    for (unsigned i = 0; i < 4; ++i) state.reg[6 + i] = state.saved.back()[i];
    state.saved.pop_back();
    for (unsigned i = 1; i <= 5; ++i) state.reg[i] = {};
    state.reg[frame_pointer] = Value::pointer(Kind::stack, state.frames.size() - 1);
}

// One more round, of fewer than no machine lives for.
void count(State& state, Ghost& ghost) {
    ghost.up.term = ghost.up.term.plus(1);
    ghost.down.term = ghost.down.term.minus(1);
    (void)state.narrow(ghost.up.term, Word::signed_between(0, most_rounds));
    (void)state.narrow(ghost.down.term, Word::signed_between(-most_rounds, 0));
}

// The helper returns: because it is done, or because the last round was enough. False if it cannot have.
bool return_from_helper(State& state, bool was_enough) {
    const Callback call = state.callbacks.back();
    const bool exact = call.exact && !was_enough;
    if (exact && !state.assume(Test::ge, 64, true, call.rounds.up.term, call.limit.term)) return false;
    const std::uint64_t most = std::min<std::uint64_t>(state.word(call.limit.term).u.high, UINT32_MAX);
    state.callbacks.pop_back();
    if (was_enough) state.reg[0] = Value::number(call.rounds.up.term.plus(1));
    else state.reg[0] = exact ? call.limit : state.number(Word::signed_between(-abi::einval, static_cast<std::int64_t>(most)));
    return true;
}

}  // namespace

void Block::refuse(const char* what) const { unproved("instruction " + std::to_string(place_.at) + ": " + what); }

void Block::exit(unsigned slot, const Place& place, State&& state, bool round_is_over) {
    demand(place.at < program_.insns.size(), "control leaves the program");
    flow_.exits[slot].emplace(Exit{place, std::move(state), round_is_over});
}

std::uint32_t Block::callee(Role role) const {
    const auto chain = chains_.find(place_.chain, place_.at, role);
    demand(chain.has_value(), "the certificate does not have this call");
    return *chain;
}

Flow Block::run() {
    if (place_.asks) {
        ask();
        return std::move(flow_);
    }
    for (;; place_.at = program_.insns[place_.at + 1].op == Op::upper_half ? place_.at + 2 : place_.at + 1) {
        const Insn& insn = program_.insns[place_.at];
        if (const auto* row = insn.op == Op::helper ? abi::find_helper(static_cast<std::uint32_t>(insn.imm)) : nullptr) flow_.work += work_of_call(program_, state_, *row);
        Step{program_, state_, place_}.run();
        ++flow_.instructions;
        const bool is_wide = place_.at + 1 < program_.insns.size() && program_.insns[place_.at + 1].op == Op::upper_half;
        const std::uint32_t next = place_.at + (is_wide ? 2 : 1);
        demand(next < program_.insns.size() || insn.op == Op::exit || insn.op == Op::jump, "control leaves the program");
        if (next >= program_.insns.size() || program_.leads[next]) {
            flow_.charged = charge_of(insn);
            leave(insn);
            return std::move(flow_);
        }
    }
}

// A tail call may go on in the longest of the functions that program arrays name.
std::uint64_t Block::charge_of(const Insn& last) const {
    if (last.op == Op::jump || last.op == Op::branch) return last.target <= place_.at ? place_.at + 1 - last.target : 0;
    if (last.op == Op::call) return program_.length_of(last.target);
    const auto* row = last.op == Op::helper ? abi::find_helper(static_cast<std::uint32_t>(last.imm)) : nullptr;
    std::uint64_t most = 0;
    if (row == nullptr || !row->has(abi::tail_calls)) return most;
    for (const Map& map : program_.maps) {
        for (const std::uint32_t target : map.functions) most = std::max(most, program_.length_of(target));
    }
    return most;
}

void Block::leave(const Insn& insn) {
    switch (insn.op) {
        case Op::jump: return exit(0, {place_.chain, insn.target, false}, std::move(state_));
        case Op::branch: {
            State taken = state_;
            if (Step{program_, taken, place_}.follow(true)) exit(1, {place_.chain, insn.target, false}, std::move(taken));
            if (Step{program_, state_, place_}.follow(false)) fall_through(std::move(state_));
            return;
        }
        case Op::call: {
            const std::uint32_t chain = callee(Role::subprogram);
            push_frame(state_);
            return exit(0, {chain, insn.target, false}, std::move(state_));
        }
        case Op::exit: return leave_function();
        case Op::helper: {
            const abi::HelperRow* row = abi::find_helper(static_cast<std::uint32_t>(insn.imm));
            if (row->has(abi::tail_calls)) return leave_by_tail_call();
            if (row->has(abi::calls_back)) return exit(0, {place_.chain, place_.at, true}, std::move(state_));
            return fall_through(std::move(state_));
        }
        case Op::number:
        case Op::map:
        case Op::map_value:
        case Op::function:
            ++place_.at;
            return fall_through(std::move(state_));
        default: return fall_through(std::move(state_));
    }
}

void Block::nothing_held() const {
    demand(state_.held.empty(), "a record may not have been given back");
    demand(state_.locked == Locked::no, "a lock may be held");
}

void Block::leave_function() {
    const Chain& chain = chains_[place_.chain];
    if (chain.role == Role::start) {
        demand(state_.reg[0].is_number(), "the program returns no number");
        return nothing_held();
    }
    if (chain.role == Role::callback) return leave_callback(chain);
    pop_frame(state_);
    exit(0, {chain.parent, chain.at + 1, false}, std::move(state_));
}

// 0 asks for more, anything else is enough.
void Block::leave_callback(const Chain& chain) {
    const Value answer = state_.reg[0];
    demand(answer.is_number(), "a callback returns no number");
    pop_frame(state_);
    State enough = state_;
    if (enough.assume(Test::ne, 64, true, answer.term, {}) && return_from_helper(enough, true)) exit(1, {chain.parent, chain.at + 1, false}, std::move(enough));
    if (!state_.assume(Test::eq, 64, true, answer.term, {})) return;
    count(state_, state_.callbacks.back().rounds);
    exit(0, {chain.parent, chain.at, true}, std::move(state_), true);
}

// A tail call ends the run in another function, or falls through. In a subprogram the other function returns to the caller.
void Block::leave_by_tail_call() {
    const Chain& chain = chains_[place_.chain];
    demand(!chain.in_callback, "a tail call inside a callback");
    nothing_held();
    flow_.tail_call = true;
    if (chain.role == Role::subprogram) {
        State caller = state_;
        pop_frame(caller);
        caller.packet_moved();
        caller.reg[0] = caller.number({});
        exit(1, {chain.parent, chain.at + 1, false}, std::move(caller));
    }
    fall_through(std::move(state_));
}

// Between two rounds: is there another?
void Block::ask() {
    const abi::HelperRow* row = abi::find_helper(static_cast<std::uint32_t>(program_.insns[place_.at].imm));
    const bool is_call = program_.insns[place_.at].op == Op::helper && row != nullptr && row->has(abi::calls_back);
    demand(is_call && !state_.callbacks.empty(), "no helper that calls back is called here");
    State done = state_;
    if (return_from_helper(done, false)) exit(1, {place_.chain, place_.at + 1, false}, std::move(done));
    const std::uint32_t function = state_.callbacks.back().function;
    demand(function < program_.insns.size() && program_.insns[function].op != Op::upper_half && program_.leads[function], "no function begins there");
    flow_.charged = program_.length_of(function);
    if (enter_callback(state_, *row)) exit(0, {callee(Role::callback), function, false}, std::move(state_));
}

bool Block::enter_callback(State& state, const abi::HelperRow& row) const {
    const bool is_loop = register_of(row, abi::Argument::map) == 0;
    const Callback call = state.callbacks.back();
    if (!state.narrow(call.limit.term, Word::between(1, is_loop ? abi::max_loops : UINT32_MAX))) return false;
    if (!state.assume(Test::lt, 64, true, call.rounds.up.term, call.limit.term)) return false;
    push_frame(state);
    for (unsigned i = 1; i <= 5; ++i) state.reg[i] = {};
    if (is_loop) {
        state.reg[1] = call.rounds.up;
        state.reg[2] = call.context;
        return true;
    }
    const bool known = call.map.kind == Kind::map || call.map.kind == Kind::inner_map;
    demand(known, "which map is walked is not known");
    state.reg[1] = call.map;
    state.reg[2] = Value::pointer(Kind::map_key, call.map.object);
    state.reg[2].identity = state.frames.size() - 1;
    state.reg[3] = Value::pointer(Kind::map_value, call.map.object);
    state.reg[4] = call.context;
    return true;
}

}  // namespace unibpf::certificate
