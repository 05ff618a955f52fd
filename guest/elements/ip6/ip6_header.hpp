#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// CheckIP6Header - checks IPv6 headers
//
//   CheckIP6Header([OFFSET] [, OFFSET n, BADSRC "ip6 ..."])
//
// Expects an IPv6 header OFFSET bytes into the packet (default 0). Lets packets pass whose version and length are right and whose source is no group and not
// in BADSRC; marks the network header and cuts the packet to the length that its header says. Others leave by output 1 if there is one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-short, bad-header, bad-source.
// Handlers: count, drops (read).
// Example: Classifier(12/86dd) -> CheckIP6Header(14) -> Discard;
class CheckIP6Header : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    static constexpr std::size_t most_bad = 16;
    bool check(Packet& packet, DropReason& reason) const;

    std::uint32_t offset_ = 0;
    std::array<Ip6Address, most_bad> bad_{};
    std::size_t bad_count_ = 0;
};

// DecIP6HLIM - takes one off the hop limit
//
//   DecIP6HLIM
//
// Packets whose hop limit is at most 1 leave by output 1 unchanged. Expects a marked IPv6 header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: expired.
// Handlers: count, drops (read).
// Example: d :: DecIP6HLIM -> Discard; d[1] -> Discard;
class DecIP6HLIM : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

// LookupIP6Route - routes IPv6 packets by a table
//
//   LookupIP6Route(PREFIX OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination matches. Gateways are not supported: `PREFIX :: OUT` is read, for
// configurations that were made for Click. Expects a marked IPv6 header.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops (read).
// Example: r :: LookupIP6Route(2001:db8::/32 0, ::/0 1); CheckIP6Header -> r; r[0] -> Discard; r[1] -> Discard;
class LookupIP6Route : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;

  private:
    struct Route {
        Ip6Prefix prefix;
        std::uint16_t output = 0;
    };
    std::uint16_t find(Packet& packet) const;

    OwnedArray<Route> routes_;  // longest first
    std::size_t count_ = 0;
};

}  // namespace unibpf
