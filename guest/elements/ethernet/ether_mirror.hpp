#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// EtherMirror - swaps Ethernet source and destination
//
//   EtherMirror
//
// Input: Ethernet frames. Sends each back to where it came from.
// Ports: one agnostic input, one agnostic output.
// Drops: too-short.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> EtherMirror -> Queue -> ToDevice(eth0);
class EtherMirror : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

}  // namespace unibpf
