// From a decoded bundle to a program that runs, and from bytes to a packet: as a guest does it, without slots and graph.
#pragma once

#include <cstdio>

#include "guest/bpf/jit/compiler.hpp"
#include "guest/packet/packet.hpp"
#include "guest/run/options.hpp"

namespace unibpf::run {

// Validates, makes the maps, links; with native code where asked.
Result<Owned<Program>> load(const BundleView& view, bool native, jit::Guard guard = jit::Guard::off);

PacketPtr packet_of(const Bytes& bytes);

// Where reports go, standard output. The guest's console (bpf_trace_printk) writes to descriptor 1, which becomes standard error.
std::FILE* separate_output_from_console();

}  // namespace unibpf::run
