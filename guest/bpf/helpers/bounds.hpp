// What a program may touch while it runs: the questions that the checking interpreter asks.
#pragma once

#include <cstdint>

#include "guest/bpf/helpers/helpers.hpp"
#include "guest/bpf/machine.hpp"

namespace unibpf::bounds {

enum class Access : std::uint8_t {
    read,
    write
};

// May [address, address + bytes) be accessed? `frame` is r10: the stack is open from the current frame upwards.
bool allowed(const Machine& machine, std::uint64_t frame, std::uint64_t address, std::uint64_t bytes, Access access);

// Why the arguments do not fit the helper at `index` of abi::helpers; null when they do.
const char* wrong_argument(const Machine& machine, std::uint64_t frame, std::int32_t index, const HelperArguments& arguments);

}  // namespace unibpf::bounds
