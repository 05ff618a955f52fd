// The control-flow graph as text for Graphviz (the DOT language): blocks with their instructions, a cluster for each copy of a
// function, loop heads with a double border and their bounds. For people; its size is bounded, a graph that nobody can read is cut.
#pragma once

#include <string>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/fixpoint/fixpoint.hpp"
#include "services/verifier/native/fixpoint/invariants.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/graph/wto.hpp"

namespace unibpf::analyser {

inline constexpr std::size_t most_drawn_blocks = 4000, most_drawn_instructions = 64;

// `invariants`, if given, are shown where blocks begin.
std::string draw(const Program& program, const Cfg& cfg, const Wto& wto, const Analysis& analysis, const Invariants* invariants);

}  // namespace unibpf::analyser
