#pragma once

#include "guest/elements/debug/packet_text.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// IPPrint - writes IP packets to the console, readable
//
//   IPPrint([LABEL] [, CONTENTS, MAXLENGTH, PAYLOAD, ID, TTL, TOS, LENGTH, TIMESTAMP, AGGREGATE, PAINT, ACTIVE])
//
// One line for each packet: label, time (unless TIMESTAMP is false), addresses, and what TCP, UDP and ICMP say. ID, TTL, TOS and
// LENGTH, AGGREGATE and PAINT add those fields; CONTENTS (the packet) or PAYLOAD (what follows its headers) HEX or ASCII adds at
// most MAXLENGTH bytes (default 1500). Needs a marked IP header.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read), active (read, write).
// Example: FromDevice(eth0) -> Strip(14) -> CheckIPHeader -> IPPrint(in) -> Discard;
class IPPrint : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    void print(Packet& packet) const;
    void put_header(Text& line, Packet& packet, std::span<const std::uint8_t> ip) const;

    std::string_view label_;
    std::uint32_t max_length_ = 1500;
    PacketText contents_ = PacketText::none;
    PacketText payload_ = PacketText::none;
    bool id_ = false, ttl_ = false, tos_ = false, length_ = false, timestamp_ = true, aggregate_ = false, paint_ = false;
    bool active_ = true;
    void (*write_)(std::string_view) = nullptr;
};

}  // namespace unibpf
