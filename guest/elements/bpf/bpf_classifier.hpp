#pragma once

#include "guest/elements/bpf/bpf_element.hpp"

namespace unibpf {

// BPFClassifier - runs an eBPF program that chooses an output
//
//   BPFClassifier(PROGRAM name [, OUTPUTS n] [, ENGINE auto|interpreter|jit] [, ISOLATION auto|none|pku])
//
// The program's return value is the output that the packet leaves by. OUTPUTS says how many there are, where the last of
// them are not connected. Only a release of the program PROGRAM can be staged here; without one every packet is dropped.
// ISOLATION as for BPFFilter.
// Ports: one push input, any number of push outputs, some may be left free.
// Drops: no-program, aborted, budget, no-port.
// Handlers: count, drops, program, engine, isolation (read), reset_counts (write).
// Example: lb :: BPFClassifier(PROGRAM balance, OUTPUTS 2); lb[0] -> Discard; lb[1] -> Discard;
class BPFClassifier : public BpfElement {
  public:
    static const ElementClass class_row;
    BPFClassifier() : BpfElement{abi::Kind::classifier} {}

    void configure(Args& args) override;
};

}  // namespace unibpf
