#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// EtherEncap - puts an Ethernet header before packets
//
//   EtherEncap(ETHERTYPE, SRC, DST)
//
// ETHERTYPE is a number such as 0x0800; SRC and DST are Ethernet addresses.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: EtherEncap(0x0800, 02:00:00:00:00:01, 02:00:00:00:00:02) -> Discard;
class EtherEncap : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t type_ = 0;
    EtherAddress source_{};
    EtherAddress destination_{};
};

// EtherRewrite - replaces Ethernet addresses
//
//   EtherRewrite(SRC, DST)
//
// Input: Ethernet frames. Sets source and destination address and leaves the type as it is.
// Ports: one agnostic input, one agnostic output.
// Drops: too-short.
// Handlers: count, drops (read).
// Example: EtherRewrite(02:00:00:00:00:01, 02:00:00:00:00:02) -> Discard;
class EtherRewrite : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    EtherAddress source_{};
    EtherAddress destination_{};
};

}  // namespace unibpf
