// Partitioning of paths (Rival and Mauborgne, "The trace partitioning abstract domain", 2007), by what the states themselves say:
// joining two states is refused where a flag tells them apart and the join would lose what only one of them knows.
#pragma once

#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

bool worth_separating(const State& a, const State& b);

}  // namespace unibpf::analyser
