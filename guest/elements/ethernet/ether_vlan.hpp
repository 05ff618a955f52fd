#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// EtherVLANEncap - puts an Ethernet header with a VLAN tag before packets
//
//   EtherVLANEncap(ETHERTYPE, SRC, DST, VLAN_TCI|ANNO [, VLAN_PCP] [, VLAN_ID n, NATIVE_VLAN n])
//
// The tag (IEEE 802.1Q 9.6) is VLAN_TCI, or made of VLAN_ID and VLAN_PCP, or with ANNO that of the annotation which StripEtherVLANHeader sets. Packets
// of VLAN NATIVE_VLAN (default none) get a header without a tag.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read), vlan_tci (read, write).
// Example: EtherVLANEncap(0x0800, 2:0:0:0:0:1, 2:0:0:0:0:2, 100) -> Discard;
class EtherVLANEncap : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    std::uint16_t tag() const { return tag_; }
    void set_tag(std::uint16_t tag) { tag_ = tag; }

  private:
    bool encapsulate(Packet& packet) const;

    std::uint16_t type_ = 0;
    EtherAddress source_{};
    EtherAddress destination_{};
    std::uint16_t tag_ = 0;
    bool from_annotation_ = false;
    std::int32_t native_ = -1;
};

// StripEtherVLANHeader - takes the Ethernet header off, with its VLAN tag
//
//   StripEtherVLANHeader([NATIVE_VLAN])
//
// Takes 18 bytes off tagged frames and 14 off others, and sets the VLAN annotation: to the tag, or to NATIVE_VLAN (default 0) for frames without
// one. With a NATIVE_VLAN of -1 these leave by output 1.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-match.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> StripEtherVLANHeader -> CheckIPHeader -> Discard;
class StripEtherVLANHeader : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool strip(Packet& packet) const;

    std::int32_t native_ = 0;
};

// EnsureEther - puts an Ethernet header before packets that have none
//
//   EnsureEther([ETHERTYPE, SRC, DST])
//
// Packets whose network header is marked 14 bytes in, after an Ethernet header of type ETHERTYPE (default 0x0800), pass. Others get a header; SRC and
// DST are 1:1:1:1:1:1 and 2:2:2:2:2:2 unless given.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: MarkIPHeader -> EnsureEther -> Queue -> ToDevice(eth0);
class EnsureEther : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool ensure(Packet& packet) const;

    std::uint16_t type_ = 0x0800;
    EtherAddress source_{1, 1, 1, 1, 1, 1};
    EtherAddress destination_{2, 2, 2, 2, 2, 2};
};

}  // namespace unibpf
