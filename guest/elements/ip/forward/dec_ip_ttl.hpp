#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// DecIPTTL - takes one off the time to live
//
//   DecIPTTL([ACTIVE bool, MULTICAST bool])
//
// Expects a marked IP header. Packets whose time to live is at most 1 leave by output 1 unchanged; the others go on with one less and a
// checksum that follows. MULTICAST false passes packets to multicast groups unchanged, ACTIVE false all.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: expired.
// Handlers: count, drops (read), active (read, write).
// Example: StaticIPLookup(0.0.0.0/0 0) -> t :: DecIPTTL -> Discard; t[1] -> ICMPError(10.0.0.1, timeexceeded) -> Discard;
class DecIPTTL : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    bool active_ = true;
    bool multicast_ = true;
};

// DropBroadcasts - drops packets that the link sent to everybody
//
//   DropBroadcasts
//
// A router forwards no packet that came as a link broadcast or multicast (RFC 1812 5.3.4): the packet type annotation says so, which
// FromDevice and HostEtherFilter set, as IPInputCombo does.
// Ports: one agnostic input, one agnostic output.
// Drops: broadcast.
// Handlers: count, drops (read).
// Example: HostEtherFilter(eth0) -> Strip(14) -> CheckIPHeader -> DropBroadcasts -> Discard;
class DropBroadcasts : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

}  // namespace unibpf
