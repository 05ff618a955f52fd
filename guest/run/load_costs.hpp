// What it costs to have a program: time of each step of loading, memory of each part.
#pragma once

#include <string>

#include "guest/core/result.hpp"
#include "guest/run/options.hpp"

namespace unibpf::run {

// Loads the bundle `times` times, as a slot does when it stages it, and answers with JSON: the fastest time of each step in ns,
// and bytes.
Result<std::string> measure_load_costs(const Bytes& bundle, std::uint64_t times);

}  // namespace unibpf::run
