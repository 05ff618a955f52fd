// The longest and the dearest run: the longest way through the nodes, a loop taken as often as its head's state allows.
#pragma once

#include <cstdint>
#include <vector>

#include "services/signer/native/verdict/certificate.hpp"

namespace unibpf::certificate {

inline constexpr std::uint64_t endless = std::uint64_t{1} << 40;

// Of one run of a node. A guest charges a run for control or for every instruction, and for the work of helpers besides.
struct NodeLength {
    std::uint64_t instructions = 0, charged = 0, work = 0, rounds = 0;
};

struct Length {
    std::uint64_t instructions, cost;  // cost: the more that a guest charges, in either way
};
Length longest(const std::vector<NodeLength>& lengths, const std::vector<Node>& nodes);

}  // namespace unibpf::certificate
