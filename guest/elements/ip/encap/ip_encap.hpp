#pragma once

#include "guest/graph/element.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

// What IPEncap and UDPIPEncap share: an IPv4 header of fixed fields before each packet.
class IpHeaderMaker : public Element {
  public:
    IpAddress source() const { return source_; }
    IpAddress destination() const { return destination_; }
    void set_source(IpAddress source) { source_ = source; }
    void set_destination(IpAddress destination) { destination_ = destination; }

  protected:
    using Ip = wire::Ipv4<std::uint8_t>;
    void read_options(Args& args);
    // Writes the header over the packet's first 20 bytes and marks it.
    Ip write(Packet& packet);

    IpAddress source_{};
    IpAddress destination_{};
    bool to_annotation_ = false;  // each packet goes to its destination annotation
    std::uint8_t protocol_ = 0;
    std::uint8_t tos_ = 0;
    std::uint8_t ttl_ = 250;
    bool dont_fragment_ = false;

  private:
    std::uint16_t id_ = 0;
};

// IPEncap - puts an IPv4 header before packets
//
//   IPEncap(PROTO, SRC, DST [, TTL n, TOS n, DSCP n, ECN n, CE bool, ECT bool, DF bool])
//
// PROTO is a number or `icmp`, `igmp`, `ipip`, `tcp`, `udp`, `gre`, `esp`. DST may be DST_ANNO: then each packet goes to its destination
// annotation. Marks the header and sets the annotation. TTL is 250 unless given.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read), src, dst (read, write).
// Example: CheckIPHeader -> IPEncap(ipip, 10.0.0.1, 10.0.0.2) -> Discard;
class IPEncap : public IpHeaderMaker {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;
};

// UDPIPEncap - puts UDP and IPv4 headers before packets
//
//   UDPIPEncap(SRC, SPORT, DST, DPORT [, CHECKSUM bool] [, TTL n, TOS n, DSCP n, ECN n, CE bool, ECT bool, DF bool])
//
// Makes the UDP checksum unless CHECKSUM is false. DST as for IPEncap.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read), src, dst, sport, dport (read, write).
// Example: UDPIPEncap(10.0.0.1, 4789, 10.0.0.2, 4789) -> Discard;
class UDPIPEncap : public IpHeaderMaker {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    std::uint16_t source_port() const { return source_port_.number; }
    std::uint16_t destination_port() const { return destination_port_.number; }
    void set_source_port(std::uint16_t port) { source_port_.number = port; }
    void set_destination_port(std::uint16_t port) { destination_port_.number = port; }

  private:
    PortNumber source_port_;
    PortNumber destination_port_;
    bool checksum_ = true;
};

// GREEncap - puts a GRE header before packets
//
//   GREEncap([PROTOCOL] [, KEY n, CHECKSUM bool, SEQUENCE bool])
//
// PROTOCOL is the Ethernet type of what follows (default 0x0800). KEY and SEQUENCE are those of RFC 2890, CHECKSUM that of RFC 2784. IPEncap(gre, ...)
// puts the delivery header before it.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> GREEncap(0x0800, KEY 7) -> IPEncap(gre, 10.0.0.1, 10.0.0.2) -> Discard;
class GREEncap : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool encapsulate(Packet& packet);

    std::uint16_t protocol_ = 0x0800;
    std::uint32_t key_ = 0;
    bool has_key_ = false;
    bool checksum_ = false;
    bool sequence_ = false;
    std::uint32_t next_ = 0;
};

// GREUnencap - takes a GRE header off packets
//
//   GREUnencap([PROTOCOL] [, KEY n])
//
// Packets begin with the GRE header (Strip the delivery header before). Those of another protocol, another key, a version other than 0, with
// routing, or with a wrong checksum leave by output 1.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-match.
// Handlers: count, drops (read).
// Example: Strip(20) -> GREUnencap(0x0800, KEY 7) -> CheckIPHeader -> Discard;
class GREUnencap : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool unencapsulate(Packet& packet) const;

    std::uint16_t protocol_ = 0x0800;
    std::uint32_t key_ = 0;
    bool has_key_ = false;
};

}  // namespace unibpf
