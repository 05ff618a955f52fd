// Check: how many ports each element has, which of them push and which pull, and whether every port is used as it may be.
//
// Click's rules (Kohler et al., TOCS 2000, 2.2): a push output and a pull input have exactly one connection, a push input and
// a pull output at least one; push never meets pull; an agnostic element is one or the other as a whole, push by default.
#pragma once

#include <cstdint>
#include <span>

#include "guest/graph/flatten.hpp"

namespace unibpf {

enum class PortKind : std::uint8_t {
    push,
    pull
};

struct ElementPorts {
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
    std::span<PortKind> input_kinds;
    std::span<PortKind> output_kinds;
};

// One row for each element of the graph. Faults go to `context.errors`; trust it only when there are none.
std::span<ElementPorts> check_ports(const FlatGraph& graph, BuildContext& context);

// Where pushed packets could run in a circle, an element of class `detour` is put into the connection that closes it: there packets
// wait for the next round. Returns whether any was; then ports are to be checked anew. Needs ports checked without a fault.
bool cut_circles(FlatGraph& graph, std::span<const ElementPorts> ports, const ElementClass& detour, BuildContext& context);

// No packet may be pushed or pulled in a circle, nor through more elements than the stack has room for (paths/runs.cpp).
// Needs ports that were checked without a fault.
void check_runs(const FlatGraph& graph, std::span<const ElementPorts> ports, BuildContext& context);

}  // namespace unibpf
