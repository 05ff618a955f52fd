// The helpers' implementations, in the order of abi::helpers. Pointers in arguments are already proved valid (by the verifier,
// or by the checking interpreter's argument check).
#pragma once

#include <array>
#include <cstdint>

#include "guest/bpf/machine.hpp"

namespace unibpf {

// r1..r5 and the machine: in this order native code has the arguments where the C ABI wants them.
using HelperFunction = std::uint64_t (*)(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4, std::uint64_t r5,
                                         Machine& machine);
using HelperArguments = std::array<std::uint64_t, 5>;  // r1..r5, for checks

extern const std::array<HelperFunction, abi::helpers.size()> helper_functions;

}  // namespace unibpf
