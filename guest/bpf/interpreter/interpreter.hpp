// The interpreter: one source, two policies.
//
// trusting: what the guest runs. The program was verified; memory is not checked, the instruction budget is charged at
//   jumps backwards by distance and for functions that are entered by their length, so that straight-line code costs nothing.
// checking: every load, store, atomic and helper argument is checked against packet, stack, context and map values, and every
//   instruction is counted. A trap of a verified program is a soundness bug of the verifier: tests run it, and `unibpf-run`.
// Call depth and budget stop a program under both. Both compute the same r0, packet and maps.
#pragma once

#include "guest/bpf/machine.hpp"

namespace unibpf {

enum class Policy : std::uint8_t {
    trusting,
    checking
};

// Makes a program faster to interpret, and no longer fit for the JIT to read. Not needed. Rule: memory.
Status prepare(Program& program);

// Runs machine.program from its first instruction; r0 is in the machine when it exits, the trap when it is stopped.
// Two functions, so that an image that never checks does not carry the checks.
Stop interpret_trusting(Machine& machine);
Stop interpret_checking(Machine& machine);

inline Stop interpret(Machine& machine, Policy policy) {
    return policy == Policy::checking ? interpret_checking(machine) : interpret_trusting(machine);
}

}  // namespace unibpf
