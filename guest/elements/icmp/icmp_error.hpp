#pragma once

#include <array>

#include "guest/graph/element.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

// ICMPError - makes the ICMP error that a packet deserves
//
//   ICMPError(IPADDR, TYPE [, CODE] [, BADADDRS "ip ...", MTU n, PMTU n, SET_FIX_ANNO bool])
//
// Takes IP packets with a marked header and turns each into an error from IPADDR to its source, with as much of it as 576 bytes hold (RFC
// 1812 4.3.2.3). TYPE and CODE are numbers or Click's words: unreachable (net, host, protocol, port, needfrag, srcroutefail,
// filterprohibited, ...), sourcequench, redirect (net, host, tosnet, toshost), timeexceeded (transit, reassembly), parameterproblem
// (erroratptr, missingopt, length). needfrag says MTU; redirect names the destination annotation, parameterproblem the byte that
// IPGWOptions found. FixIPSrc later puts the right source in, unless SET_FIX_ANNO is false. Nothing is sent about ICMP errors, later
// fragments, broadcasts and multicasts, source routes, and sources that are no host or one of BADADDRS (RFC 1812 4.3.2.7).
// Ports: one agnostic input, one agnostic output.
// Drops: no-error, no-buffer.
// Handlers: count, drops (read).
// Example: DecIPTTL[1] -> ICMPError(10.0.0.1, timeexceeded) -> Discard;
class ICMPError : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    using Ip = wire::Ipv4<std::uint8_t>;
    static constexpr std::size_t most_bad = 16;
    void read_kind(Args& args);
    bool may_answer(const Packet& packet, const Ip& ip) const;
    bool valid_source(std::uint32_t source) const;
    PacketPtr answer(const Packet& packet, const Ip& ip);

    PacketPool* pool_ = nullptr;
    IpAddress address_{};
    std::uint8_t type_ = 0;
    std::uint8_t code_ = 0;
    std::uint16_t mtu_ = 0;
    std::uint16_t id_ = 0;
    bool fix_source_ = true;
    std::array<std::uint32_t, most_bad> bad_{};
    std::size_t bad_count_ = 0;
};

}  // namespace unibpf
