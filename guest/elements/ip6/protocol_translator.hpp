#pragma once

#include "guest/elements/ip6/translate.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// What both translators share.
class ProtocolTranslator : public Element {
  public:
    void configure(Args& args) override;
    void process(Batch& batch) override;

  protected:
    explicit ProtocolTranslator(bool (*translate)(Packet&, const translate::Prefix&)) : translate_{translate} {}

  private:
    bool (*translate_)(Packet&, const translate::Prefix&);
    translate::Prefix prefix_{0x00, 0x64, 0xff, 0x9b};
};

// ProtocolTranslator46 - turns IPv4 packets into IPv6 ones
//
//   ProtocolTranslator46([PREFIX p])
//
// RFC 7915: header, fragment header, ICMP messages with the packets that errors quote, checksums. Both addresses become those of PREFIX, 96 bits long (default
// 64:ff9b::/96, RFC 6052), with the IPv4 address at the end. Packets without a counterpart leave by output 1 if there is one; what they hold there is of no
// worth. Expects a marked IP header; the packet begins with its new one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-mapping.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> ProtocolTranslator46 -> EtherEncap(0x86dd, 2:0:0:0:0:1, 2:0:0:0:0:2) -> Discard;
class ProtocolTranslator46 : public ProtocolTranslator {
  public:
    static const ElementClass class_row;
    ProtocolTranslator46() : ProtocolTranslator{translate::to_ipv6} {}
};

// ProtocolTranslator64 - turns IPv6 packets into IPv4 ones
//
//   ProtocolTranslator64([PREFIX p])
//
// The other way of ProtocolTranslator46; packets whose addresses are not both of PREFIX have no counterpart.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-mapping.
// Handlers: count, drops (read).
// Example: CheckIP6Header -> ProtocolTranslator64 -> EtherEncap(0x0800, 2:0:0:0:0:1, 2:0:0:0:0:2) -> Discard;
class ProtocolTranslator64 : public ProtocolTranslator {
  public:
    static const ElementClass class_row;
    ProtocolTranslator64() : ProtocolTranslator{translate::to_ipv4} {}
};

}  // namespace unibpf
