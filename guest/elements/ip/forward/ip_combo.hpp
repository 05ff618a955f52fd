#pragma once

#include "guest/elements/ip/check_ip_header.hpp"
#include "guest/elements/ip/forward/ip_fragmenter.hpp"

namespace unibpf {

// IPInputCombo - what a router does with each packet that comes in, in one
//
//   IPInputCombo(COLOR [, INTERFACES, BADSRC, GOODDST, CHECKSUM])
//
// As Paint(COLOR) -> Strip(14) -> CheckIPHeader(...) -> GetIPAddress(16).
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-short, bad-header, bad-checksum, bad-source.
// Handlers: count, drops (read).
// Example: Classifier(12/0800) -> IPInputCombo(1, INTERFACES 10.0.0.1/24) -> Discard;
class IPInputCombo : public CheckIPHeader {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint8_t color_ = 0;
};

// IPOutputCombo - what a router does with each packet that goes out, in one
//
//   IPOutputCombo(COLOR, MYADDR, MTU)
//
// As DropBroadcasts -> PaintTee(COLOR) -> IPGWOptions(MYADDR) -> FixIPSrc(MYADDR) -> DecIPTTL -> IPFragmenter(MTU). Output 0: packets to
// send; 1: copies of packets painted COLOR, for redirects; 2: bad options; 3: time to live over; 4: too long, and not to be fragmented.
// Ports: one push input, 1 to 5 push outputs, some may be left free.
// Drops: broadcast, bad-header, expired, too-long, no-buffer.
// Handlers: count, drops (read).
// Example: o :: IPOutputCombo(1, 10.0.0.1, 1500) -> Discard; o[1] -> Discard; o[2] -> Discard; o[3] -> Discard; o[4] -> Discard;
class IPOutputCombo : public IPFragmenter {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;

  private:
    void forward(PacketPtr packet, Outflow& out);
    void leave(PacketPtr packet, unsigned port, DropReason reason);

    std::uint8_t color_ = 0;
    ip_hop::Addresses own_;
    PacketPool* pool_ = nullptr;
};

}  // namespace unibpf
