// One state of the analysis in the words of certificates.
#pragma once

#include "services/verifier/native/certificate/places.hpp"

namespace unibpf::analyser {

// `counted`: the counters of the state, by position, that belong to loops of the certificate. False: there are no words for it.
[[nodiscard]] bool write_state(CborWriter& out, const State& state, const std::vector<std::size_t>& counted, BlockId block, const Places& places);

}  // namespace unibpf::analyser
