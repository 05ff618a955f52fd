// Values and ranges in words, for findings: `packet + [34, 74]`, `number in [0, 255]`, `pointer to map value of `hits` + 8`.
#pragma once

#include <string>

#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

std::string describe(const State& state, const Program& program, const Value& value);
// `r2 = packet + [34, 74]`
std::string describe_register(const State& state, const Program& program, Register reg);
// `packet is at least 34 bytes long`
std::string describe_packet(const State& state);

}  // namespace unibpf::analyser
