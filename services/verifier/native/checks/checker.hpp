// Does an assertion hold in a state? The answer is nothing (it does) or a finding that says what is wrong and what was known.
// The state is never changed; the caller numbers the finding.
#pragma once

#include <optional>

#include "services/verifier/native/checks/assertions.hpp"
#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

std::optional<Finding> check(const State& state, const Assertion& assertion, const Program& program, const Options& options);

}  // namespace unibpf::analyser
