// Termination: a loop ends if the counter of its head is bounded where the head's invariant holds; and from the bounds of all
// loops and the work of helpers, the most instructions that one run can take.
#pragma once

#include <cstdint>
#include <optional>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/fixpoint/fixpoint.hpp"
#include "services/verifier/native/state/state.hpp"
#include "services/verifier/native/graph/wto.hpp"

namespace unibpf::analyser {

// How often the head is entered again, at most; nothing if no bound is known.
std::optional<std::uint64_t> loop_bound(const State& invariant, const LoopCounter& counter);

Finding unbounded_loop(const State& invariant, const Program& program, const Block& head, const Cfg& cfg);

// What one packet can cost, and what of it costs most.
struct Expense {
    std::optional<std::uint64_t> instructions;  // nothing if a loop has no bound or the number is beyond use
    std::uint32_t dearest = 0;                  // where the loop begins that costs most, or the helper is called
    std::uint64_t dearest_cost = 0;
    std::optional<std::uint64_t> rounds;        // of that loop; nothing: it is no loop
};

// The longest path through the program. A guest counts in its own way: distances of jumps backwards, whole functions where they
// are called, the work of helpers (guest/bpf/machine.hpp); the bound covers both what runs and what is counted.
Expense expense_of(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto, const Analysis& analysis);

// A guest that runs such a program stops it in the middle of a packet.
Finding over_budget(const Expense& expense, const Options& options);

}  // namespace unibpf::analyser
