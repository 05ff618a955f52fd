#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// ICMPPingEncap - puts an IP header and an ICMP echo request before packets
//
//   ICMPPingEncap(SRC, DST [, IDENTIFIER n])
//
// The packet becomes the data of the request. IDENTIFIER is 0 unless given; sequence numbers count from 0.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read), src, dst (read, write).
// Example: TimedSource(1s, hello) -> ICMPPingEncap(10.0.0.1, 10.0.0.2) -> Discard;
class ICMPPingEncap : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    IpAddress source() const { return source_; }
    IpAddress destination() const { return destination_; }
    void set_source(IpAddress source) { source_ = source; }
    void set_destination(IpAddress destination) { destination_ = destination; }

  private:
    bool encapsulate(Packet& packet);

    IpAddress source_{};
    IpAddress destination_{};
    std::uint16_t identifier_ = 0;
    std::uint16_t sequence_ = 0;
    std::uint16_t id_ = 0;
};

}  // namespace unibpf
