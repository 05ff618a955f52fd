// The one pass over a certificate: each node's block is run once from its state, every demand on the way is checked, and what comes
// out must be part of the state of the node that its edge names.
//
// Why that is enough: a run of the program is a path through nodes whose states hold all along, by induction. It ends, because an
// endless path would enter the head of some loop again and again without leaving that loop, and each time that loop's ghost
// (or the round of its callback) grows, which the state at the head bounds.
#pragma once

#include <cstdint>

#include "services/signer/native/verdict/certificate.hpp"

namespace unibpf::certificate {

struct Proof {
    std::uint64_t instructions = 0;  // the most that one run takes
    std::uint64_t cost = 0;          // the most that a guest takes off a packet's budget for it
    std::size_t nodes = 0, states = 0;
};

// Throws Refusal.
Proof check(const Program& program, Certificate&& certificate);

}  // namespace unibpf::certificate
