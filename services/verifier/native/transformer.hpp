// What an instruction does to a state for which its assertions hold. Sound for wrapping arithmetic; memory other than the stack
// holds unknown numbers (the checker lets no address get there), constant global data excepted.
#pragma once

#include "services/verifier/native/program.hpp"
#include "services/verifier/native/state.hpp"

namespace unibpf::analyser {

// Everything but control flow.
void apply(State& state, const Insn& insn, const Program& program, const Options& options);

// Over-approximates what the instruction does in those executions of the state for which its assertions do hold, when the
// checker cannot show them; false: there are none.
[[nodiscard]] bool apply_assumed(State& state, const Insn& insn, const Options& options);

// Learns from a branch; false: this side is never taken.
[[nodiscard]] bool follow(State& state, const Branch& branch, bool taken, const Options& options);

// Enters and leaves a subprogram (RFC 9669 2.1: r6 to r9 and r10 survive, r1 to r5 do not).
void enter_call(State& state);
void leave_call(State& state);

}  // namespace unibpf::analyser
