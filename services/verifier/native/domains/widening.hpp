// Widening of scalars, so that loops come to an end: bounds that grow jump.
#pragma once

#include <vector>

#include "services/verifier/native/domains/scalar.hpp"

namespace unibpf::analyser {

// Holds every word of `joined`. Bounds of it that are beyond those of `a` jump to a threshold (these are in order; may be null) or
// to the end of the type.
Scalar widen(const Scalar& a, const Scalar& joined, const std::vector<std::int64_t>* thresholds);

}  // namespace unibpf::analyser
