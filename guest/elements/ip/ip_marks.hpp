#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// MarkIPHeader - marks where the IP header is
//
//   MarkIPHeader([OFFSET])
//
// Sets the network header, and the transport header after it, of packets whose IP header begins OFFSET bytes in (default 0). Checks
// nothing: CheckIPHeader does both.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: MarkIPHeader(14) -> IPPrint -> Discard;
class MarkIPHeader : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t offset_ = 0;
};

// GetIPAddress - sets the destination annotation from the packet
//
//   GetIPAddress(OFFSET | IP src|dst)
//
// Copies the four bytes at OFFSET, or the source or destination of the marked IP header.
// Ports: one agnostic input, one agnostic output.
// Drops: too-short.
// Handlers: count, drops (read).
// Example: Strip(14) -> CheckIPHeader -> GetIPAddress(16) -> StaticIPLookup(0.0.0.0/0 0) -> Discard;
class GetIPAddress : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool copy(Packet& packet) const;

    std::uint32_t offset_ = 0;
    bool of_header_ = false;  // then `offset_` counts from the IP header on
};

// SetIPAddress - sets the destination annotation
//
//   SetIPAddress(IPADDR)
//
// Makes IPADDR the next hop of every packet: ARPQuerier sends it there.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: SetIPAddress(10.0.0.254) -> ARPQuerier(10.0.0.1, eth0) -> Queue -> ToDevice(eth0);
class SetIPAddress : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    IpAddress address_{};
};

// SetRandIPAddress - sets the destination annotation to a random address
//
//   SetRandIPAddress(PREFIX [, LIMIT])
//
// Each packet gets an address of PREFIX; with LIMIT they are the first LIMIT ones of it.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: SetRandIPAddress(10.0.0.0/8, 100) -> StaticIPLookup(0.0.0.0/0 0) -> Discard;
class SetRandIPAddress : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    IpPrefix prefix_;
    std::int32_t limit_ = -1;
};

}  // namespace unibpf
