// Termination: a loop ends if the counter of its head is bounded where the head's invariant holds; and from the bounds of all
// loops, the most instructions that one run can take.
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

// Longest path through the program; nothing if a loop has no bound or the number is beyond use.
std::optional<std::uint64_t> instruction_bound(const Cfg& cfg, const Wto& wto, const Analysis& analysis);


}  // namespace unibpf::analyser
