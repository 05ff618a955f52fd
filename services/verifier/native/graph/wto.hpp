// Weak topological order of a graph (Bourdoncle, "Efficient chaotic iteration strategies with widenings", 1993): a hierarchical
// ordering in which every cycle goes through the head of a component that contains it.
//
// Built by decomposing into strongly connected components in topological order; each that has a cycle becomes a component whose
// head is its first node in depth-first order, and the rest of it is decomposed again without the edges into the head. Recursion
// is as deep as loops nest; depth-first searches are iterative, since programs may be one chain of 100,000 blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "services/verifier/native/graph/cfg.hpp"

namespace unibpf::analyser {

struct Component {
    BlockId head;                     // or the only block
    bool is_loop = false;
    std::vector<Component> body{};    // without the head
};

struct Wto {
    std::vector<Component> components;
    std::vector<std::vector<BlockId>> loops_of;  // heads of the loops around each block, outermost first (a head is in its own)
};

inline constexpr std::size_t most_nested_loops = 64;

// Throws GaveUp for loops that nest deeper.
Wto build_wto(const Cfg& cfg);

}  // namespace unibpf::analyser
