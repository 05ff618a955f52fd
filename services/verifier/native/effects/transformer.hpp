// What an instruction does to a state for which its assertions hold. Sound for wrapping arithmetic; memory other than the stack
// holds unknown numbers (the checker lets no address get there), constant global data excepted.
#pragma once

#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

// What is analysed, and where in the graph an instruction stands.
struct Setting {
    const Program& program;
    const Options& options;
    Site site;
    std::uint32_t instruction;
};

// What a load of so many bytes gives when nothing is known of them.
Scalar of_bytes(unsigned bytes, bool sign);

// Everything but control flow. A call that calls back is begun, see below.
void apply(State& state, const Insn& insn, const Setting& setting);

// Over-approximates what the instruction does in those executions of the state for which its assertions do hold, when the
// checker cannot show them; false: there are none.
[[nodiscard]] bool apply_assumed(State& state, const Insn& insn, const Setting& setting);
// What a helper does besides its result and the stack: packet, references, locks, callbacks. For arguments that are not what
// the row asks for, everything that it may do.
void apply_effects(State& state, const abi::HelperRow& row, const Setting& setting);
// Of a helper that gives a record or socket.
Value acquired(State& state, const abi::HelperRow& row, const Setting& setting);

// Learns from a branch; false: this side is never taken.
[[nodiscard]] bool follow(State& state, const Branch& branch, bool taken, const Options& options);

// Enters and leaves a subprogram (RFC 9669 2.1: r6 to r9 and r10 survive, r1 to r5 do not).
void enter_call(State& state);
void leave_call(State& state);

// Linux' limit of bpf_loop (BPF_MAX_LOOPS), which is the guest's too.
inline constexpr std::int64_t most_callbacks = 1 << 23;

// Calls of a helper that calls back, between two of its callbacks: `counter` is of the loop that they are; null if there is none.
// Once more: false if it cannot be. Then registers and frame are those of the callback's entry.
[[nodiscard]] bool enter_callback(State& state, const abi::HelperRow& row, const LoopCounter* counter);
// The helper returns, because it is done or because the last callback asked for no more; false if it cannot be.
[[nodiscard]] bool leave_callbacks(State& state, const LoopCounter* counter, bool was_enough);

}  // namespace unibpf::analyser
