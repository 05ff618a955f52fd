#pragma once

#include "guest/elements/ip/forward/ip_hop.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// IPGWOptions - fills in IP options as a router has to
//
//   IPGWOptions(MYADDR [, OTHERADDRS "ip ..."])
//
// Record route gets MYADDR, timestamp MYADDR and the time, or the time alone where it names MYADDR or one of OTHERADDRS (RFC 791 3.1).
// Times are milliseconds of the guest's clock, marked as not since midnight. Packets whose options are malformed leave by output 1,
// where ICMPError(..., parameterproblem) says which byte is wrong. Expects a marked IP header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: g :: IPGWOptions(10.0.0.1) -> Discard; g[1] -> ICMPError(10.0.0.1, parameterproblem) -> Discard;
class IPGWOptions : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    static void read_addresses(Args& args, ip_hop::Addresses& own);

  private:
    ip_hop::Addresses own_;
};

}  // namespace unibpf
