// Is every machine state of one state a machine state of another, the claimed one?
#pragma once

#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {

// Empty if so, else what of `claimed` does not follow. Both stand at the same place.
const char* what_does_not_follow(const State& found, const State& claimed);

}  // namespace unibpf::certificate
