// The longest run: the longest way through the nodes, a loop taken as often as its head's state allows.
#pragma once

#include <cstdint>
#include <vector>

#include "services/signer/native/verdict/certificate.hpp"

namespace unibpf::certificate {

inline constexpr std::uint64_t endless = std::uint64_t{1} << 40;

struct NodeLength {
    std::uint64_t instructions = 0, rounds = 0;
};

std::uint64_t longest(const std::vector<NodeLength>& lengths, const std::vector<Node>& nodes);

}  // namespace unibpf::certificate
