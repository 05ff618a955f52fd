// The certificate as it comes (schemas/certificate.cddl): what the analyser claims, none of it believed.
//
// A node is one run of one block from one state. Its edges name the nodes that take over; an edge that is missing says that control
// never goes that way. A node without a state takes over the state of the only edge that leads to it. A loop is a range of nodes
// with its head first: only edges back to the head of a loop around them lead to an earlier node.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/signer/native/input/program.hpp"
#include "services/signer/native/state/state.hpp"
#include "services/signer/native/steps/step.hpp"
#include "services/signer/native/verdict/chains.hpp"

namespace unibpf::certificate {

inline constexpr std::uint32_t no_node = UINT32_MAX;

struct Node {
    std::array<std::uint32_t, 2> edges{no_node, no_node};  // `next`, `taken`
    std::optional<Place> place{};
    std::optional<State> state{};
    std::uint32_t loop_end = 0;   // after the last node of the loop that begins here; 0: none does
};

struct Certificate {
    Chains chains;
    std::vector<std::uint32_t> roots;  // the node for each of Program::roots
    std::vector<Node> nodes;
};

Certificate read_certificate(std::span<const std::uint8_t> bytes, const Program& program);

class Cbor;
// A state as it stands at a place whose chain has so many frames.
State read_state(Cbor& in, const Chains& chains, const Place& place, const Program& program);

}  // namespace unibpf::certificate
