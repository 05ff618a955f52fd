#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// ICMPPingResponder - answers ICMP echo requests
//
//   ICMPPingResponder
//
// Expects IPv4 packets whose network header is marked (CheckIPHeader does that). Echo requests become replies in place:
// addresses swapped, TTL 255, checksums adjusted, so a wrong checksum stays wrong. Fragments and everything else leave by
// output 1 if there is one. Frames keep their Ethernet header: EtherMirror turns that round.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader(14) -> ICMPPingResponder -> EtherMirror -> Queue -> ToDevice(eth0);
class ICMPPingResponder : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

}  // namespace unibpf
