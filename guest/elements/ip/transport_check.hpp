#pragma once

#include "guest/graph/element.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

// What the elements below share: each looks at the transport header of one protocol.
class TransportCheck : public Element {
  public:
    using Ip = wire::Ipv4<std::uint8_t>;
    // What is wrong with the header, if anything.
    using Check = bool (*)(const Ip& ip, DropReason& reason);

    void configure(Args& args) override;
    void process(Batch& batch) override;

  protected:
    explicit TransportCheck(Check check) : check_{check} {}

  private:
    Check check_;
};

class TransportSum : public Element {
  public:
    void process(Batch& batch) override;

  protected:
    TransportSum(wire::IpProtocol protocol, std::size_t checksum_at, std::size_t header) : protocol_{protocol}, checksum_at_{checksum_at}, header_{header} {}

  private:
    wire::IpProtocol protocol_;
    std::size_t checksum_at_;
    std::size_t header_;
};

// CheckTCPHeader - checks TCP headers
//
//   CheckTCPHeader([VERBOSE, DETAILS])
//
// Lets IPv4 packets of the protocol pass whose header is right: the data offset and the checksum. Others, of other protocols too, leave by output 1 if there is
// one. Later fragments have no such header and pass; the checksum of first fragments is not looked at. Expects a marked IP header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: bad-header, too-short, bad-checksum, no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> CheckTCPHeader -> Discard;
class CheckTCPHeader : public TransportCheck {
  public:
    static const ElementClass class_row;
    CheckTCPHeader();
};

// CheckUDPHeader - checks UDP headers
//
//   CheckUDPHeader([VERBOSE, DETAILS])
//
// Lets IPv4 packets of the protocol pass whose header is right: the length and the checksum, where there is one. Others, of other protocols too, leave by output 1 if there is
// one. Later fragments have no such header and pass; the checksum of first fragments is not looked at. Expects a marked IP header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: bad-header, too-short, bad-checksum, no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> CheckUDPHeader -> Discard;
class CheckUDPHeader : public TransportCheck {
  public:
    static const ElementClass class_row;
    CheckUDPHeader();
};

// CheckICMPHeader - checks ICMP headers
//
//   CheckICMPHeader([VERBOSE, DETAILS])
//
// Lets IPv4 packets of the protocol pass whose header is right: the length that the type wants and the checksum. Others, of other protocols too, leave by output 1 if there is
// one. Later fragments have no such header and pass; the checksum of first fragments is not looked at. Expects a marked IP header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: bad-header, too-short, bad-checksum, no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> CheckICMPHeader -> Discard;
class CheckICMPHeader : public TransportCheck {
  public:
    static const ElementClass class_row;
    CheckICMPHeader();
};

// SetTCPChecksum - makes the checksum of TCP anew
//
//   SetTCPChecksum
//
// Other protocols and fragments are dropped. Expects a marked IP header.
// Ports: one agnostic input, one agnostic output.
// Drops: no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> StoreData(30, x) -> SetTCPChecksum -> Discard;
class SetTCPChecksum : public TransportSum {
  public:
    static const ElementClass class_row;
    SetTCPChecksum();
};

// SetUDPChecksum - makes the checksum of UDP anew
//
//   SetUDPChecksum
//
// Other protocols and fragments are dropped. Expects a marked IP header.
// Ports: one agnostic input, one agnostic output.
// Drops: no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> StoreData(30, x) -> SetUDPChecksum -> Discard;
class SetUDPChecksum : public TransportSum {
  public:
    static const ElementClass class_row;
    SetUDPChecksum();
};

}  // namespace unibpf
