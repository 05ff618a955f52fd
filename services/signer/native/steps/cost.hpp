// What a guest takes off a packet's budget besides single instructions (design 7): the work of helpers, by the bytes that they
// touch. Rates and formulas are the checker's own copy of what guests charge; that no run is charged more is a test's to show.
#pragma once

#include <cstdint>

#include "services/signer/native/input/program.hpp"
#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {

// The most that a call of the helper can cost from this state, whose registers are its arguments.
std::uint64_t work_of_call(const Program& program, const State& state, const abi::HelperRow& row);

}  // namespace unibpf::certificate
