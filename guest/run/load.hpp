// From a decoded bundle to a program that runs, and from bytes to a packet: as a guest does it, without slots and graph.
// Freestanding: the test image (tests/image) does it too.
#pragma once

#include <cstdint>
#include <span>

#include "guest/bpf/jit/compiler.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf::run {

// Validates, makes the maps, links; with native code where asked.
Result<Owned<Program>> load(const BundleView& view, bool native, jit::Guard guard = jit::Guard::off);

// Null when the pool is empty.
PacketPtr packet_of(std::span<const std::uint8_t> bytes);

}  // namespace unibpf::run
