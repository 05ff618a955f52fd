#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// FixIPSrc - gives ICMP errors the source of the interface they leave by
//
//   FixIPSrc(IPADDR)
//
// Packets that ICMPError made get the source IPADDR, and a checksum that follows. Others pass unchanged.
// Ports: one agnostic input, one agnostic output.
// Handlers: count, drops (read).
// Example: ICMPError(10.0.0.1, timeexceeded) -> FixIPSrc(10.0.1.1) -> Discard;
class FixIPSrc : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    IpAddress address_{};
};

// SetIPChecksum - makes the checksum of IPv4 headers anew
//
//   SetIPChecksum
//
// Wants a marked IP header. After elements that change headers without their sum.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: MarkIPHeader(14) -> StoreData(22, \<40>) -> SetIPChecksum -> Discard;
class SetIPChecksum : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

// SetIPDSCP - sets the differentiated services code point
//
//   SetIPDSCP(DSCP)
//
// DSCP is a number from 0 to 63 (RFC 2474). The checksum follows.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read), dscp (read, write).
// Example: CheckIPHeader -> SetIPDSCP(46) -> Discard;
class SetIPDSCP : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    std::uint32_t dscp() const { return dscp_; }
    void set_dscp(std::uint32_t dscp) { dscp_ = dscp & 63; }

  private:
    std::uint32_t dscp_ = 0;
};

// SetIPECN - sets the congestion bits of IPv4 headers
//
//   SetIPECN(ECN)
//
// ECN is a number from 0 to 3 or one of `no`, `ect1`, `ect2`, `ce` (RFC 3168). The checksum follows.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> SetIPECN(ect2) -> Discard;
class SetIPECN : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint8_t ecn_ = 0;
};

// SetECN - sets the congestion bits, as SetIPECN
//
//   SetECN(ECN)
//
// The same element by its other name.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> SetECN(ce) -> Discard;
class SetECN : public SetIPECN {
  public:
    static const ElementClass class_row;
};

// MarkIPCE - says that there was congestion
//
//   MarkIPCE([FORCE])
//
// Sets the bits to CE where the sender said that it understands them (RFC 3168 5); drops the packets of others, unless FORCE is true:
// then these are marked too.
// Ports: one agnostic input, one agnostic output.
// Drops: policed.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> MarkIPCE -> Discard;
class MarkIPCE : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool force_ = false;
};

// IPMirror - swaps source and destination
//
//   IPMirror([DST_ANNO])
//
// Swaps the addresses of IPv4 packets, and the ports of TCP and UDP in first fragments; checksums stay right of themselves. Sets the
// destination annotation unless DST_ANNO is false. Expects a marked IP header.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: CheckIPHeader(14) -> IPMirror -> EtherMirror -> Queue -> ToDevice(eth0);
class IPMirror : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool annotate_ = true;
};

}  // namespace unibpf
