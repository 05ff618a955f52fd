#pragma once

#include "guest/elements/bpf/bpf_element.hpp"

namespace unibpf {

// BPFRewriter - runs an eBPF program that changes packets
//
//   BPFRewriter(PROGRAM name [, ENGINE auto|interpreter|jit] [, ISOLATION auto|none|pku])
//
// Like BPFFilter, and the program may change bytes and move the packet's head and tail (256 bytes of headroom, metadata included).
// ISOLATION as for BPFFilter.
// Ports: one push input, 1 to 256 push outputs, some may be left free.
// Drops: no-program, aborted, unknown-code, budget, no-port, dropped-by-program.
// Handlers: count, drops, program, engine, isolation (read), reset_counts (write).
// Example: FromDevice(eth0) -> nat :: BPFRewriter(PROGRAM nat) -> Queue -> ToDevice(eth1);
class BPFRewriter : public BpfElement {
  public:
    static const ElementClass class_row;
    BPFRewriter() : BpfElement{abi::Kind::rewriter} {}
};

}  // namespace unibpf
