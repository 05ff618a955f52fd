// The helpers' implementations, in the order of abi::helpers. Pointers in arguments are already proved valid (by the verifier,
// or by the checking interpreter's argument check).
#pragma once

#include <array>
#include <cstdint>

#include "guest/bpf/machine.hpp"

namespace unibpf {

using HelperArguments = std::array<std::uint64_t, 5>;  // r1..r5
using HelperFunction = std::uint64_t (*)(Machine&, const HelperArguments&);

extern const std::array<HelperFunction, abi::helpers.size()> helper_functions;

// Position of a helper in abi::helpers, which loaded call instructions carry in imm. The number must be known.
std::size_t helper_index(std::uint32_t number);

}  // namespace unibpf
