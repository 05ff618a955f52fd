// What calls of helpers cost besides the instruction: the guest's own formulas (guest/bpf/bundle/cost.hpp) with the largest
// arguments that a state allows.
#pragma once

#include <vector>

#include "guest/bpf/bundle/cost.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

// The program's maps, and those that maps of maps hold.
std::vector<abi::cost::MapShape> shapes_of(const Program& program, const Options& options);

abi::cost::Units work_of_call(const State& state, const abi::HelperRow& row, const Program& program, const std::vector<abi::cost::MapShape>& shapes);

}  // namespace unibpf::analyser
