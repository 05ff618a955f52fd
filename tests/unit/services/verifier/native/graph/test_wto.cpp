// The weak topological order of Bourdoncle's paper (figure 1) and of shapes that loops take.
#include <doctest/doctest.h>

#include "services/verifier/native/graph/wto.hpp"

namespace unibpf::analyser {
namespace {

Cfg graph(std::initializer_list<std::pair<BlockId, BlockId>> edges) {
    Cfg cfg;
    BlockId id = 0;
    for (const auto& [next, taken] : edges) {
        cfg.blocks.push_back({id, id, 0, next, taken});
        ++id;
    }
    return cfg;
}

std::string text(const std::vector<Component>& components) {
    std::string out;
    for (const Component& component : components) {
        if (!out.empty()) out += " ";
        const std::string head = std::to_string(component.head);
        out += component.is_loop ? "(" + head + (component.body.empty() ? "" : " " + text(component.body)) + ")" : head;
    }
    return out;
}

}  // namespace

TEST_CASE("the example of the paper comes out as printed there") {
    // Nodes 1..8 of the paper are 0..7 here: 1->2, 2->3, 2->8, 3->4, 4->5, 4->7, 5->6, 6->5, 6->7, 7->3, 7->8.
    const Cfg cfg = graph({{1, no_block}, {2, 7}, {3, no_block}, {4, 6}, {5, no_block}, {4, 6}, {2, 7}, {no_block, no_block}});
    CHECK(text(build_wto(cfg).components) == "0 1 (2 3 (4 5) 6) 7");
}

TEST_CASE("a straight line has no loops and keeps its order") {
    CHECK(text(build_wto(graph({{1, no_block}, {2, no_block}, {no_block, no_block}})).components) == "0 1 2");
}

TEST_CASE("a block that jumps to itself is a loop of one") {
    CHECK(text(build_wto(graph({{1, no_block}, {2, 1}, {no_block, no_block}})).components) == "0 (1) 2");
}

TEST_CASE("a chain of a hundred thousand blocks needs no deep recursion") {
    Cfg cfg;
    for (BlockId id = 0; id < 100'000; ++id) cfg.blocks.push_back({id, id, 0, id + 1 < 100'000 ? id + 1 : no_block, no_block});
    CHECK(build_wto(cfg).components.size() == 100'000);
}

TEST_CASE("every cycle of an irreducible graph goes through the head of a loop") {
    // 0 enters the cycle 1 <-> 2 at both ends.
    const Wto wto = build_wto(graph({{1, 2}, {2, no_block}, {1, 3}, {no_block, no_block}}));
    REQUIRE(wto.components.size() == 3);
    CHECK(wto.components[1].is_loop);
    CHECK(wto.loops_of[1] == wto.loops_of[2]);
}

}  // namespace unibpf::analyser
