// Translation between IPv4 and IPv6 (RFC 7915) of whole packets, and of those that ICMP errors quote.
//
// Addresses are the last four bytes of a prefix of 96 bits (RFC 6052). Options, extension headers other than the fragment header, and ICMP
// messages without a counterpart are not translated.
#pragma once

#include <array>
#include <cstdint>

#include "guest/packet/packet.hpp"

namespace unibpf::translate {

using Prefix = std::array<std::uint8_t, 12>;

// The packet begins with its IP header then, and is as long as that says. False: it has no counterpart; what it holds then is of no worth.
bool to_ipv6(Packet& packet, const Prefix& prefix);
bool to_ipv4(Packet& packet, const Prefix& prefix);

}  // namespace unibpf::translate
