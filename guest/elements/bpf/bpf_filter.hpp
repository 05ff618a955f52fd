#pragma once

#include "guest/elements/bpf/bpf_element.hpp"

namespace unibpf {

// BPFFilter - runs an eBPF program that passes or drops packets
//
//   BPFFilter(PROGRAM name [, ENGINE auto|interpreter|jit] [, ISOLATION auto|none|pku])
//
// XDP_PASS leaves by output 0, XDP_DROP by output 1 and XDP_TX by output 2 where those are connected, XDP_REDIRECT by the output
// that bpf_redirect or a devmap named. The program must not change the packet. Only a release of the program PROGRAM can be
// staged here; without one every packet is dropped.
// ISOLATION pku: the program can write its stack, what its maps hold and packets, nothing else, whatever it does, and it cannot read
// MAC keys nor other programs' maps; an access elsewhere ends its run (dropped as aborted) and nothing more. Takes a CPU with
// protection keys. ISOLATION auto, the default: so where the machine has what it takes, else as `none`.
// Ports: one push input, 1 to 256 push outputs, some may be left free.
// Drops: no-program, aborted, unknown-code, budget, no-port, dropped-by-program.
// Handlers: count, drops, program, engine, isolation (read), reset_counts (write).
// Example: FromDevice(eth0) -> fw :: BPFFilter(PROGRAM firewall) -> Queue -> ToDevice(eth1);
class BPFFilter : public BpfElement {
  public:
    static const ElementClass class_row;
    BPFFilter() : BpfElement{abi::Kind::filter} {}
};

}  // namespace unibpf
