// A packet as summaries see it: its headers found once, bounds checked.
#pragma once

#include <cstdint>
#include <span>

#include "guest/packet/packet.hpp"

namespace unibpf::click {

struct SummaryView {
    explicit SummaryView(Packet& packet);

    Packet& packet;
    std::span<std::uint8_t> ip;         // from the header on, to the packet's end; empty: none
    std::span<std::uint8_t> transport;  // empty when the header is not there, or not in this fragment
    std::size_t header = 0;             // of IP, in bytes
    std::uint8_t protocol = 0;
    bool tcp = false, udp = false, icmp = false;

    std::uint32_t get8(std::size_t at) const { return ip[at]; }
    std::uint32_t ip16(std::size_t at) const { return static_cast<std::uint32_t>(ip[at] << 8 | ip[at + 1]); }
    std::uint32_t ip32(std::size_t at) const { return ip16(at) << 16 | ip16(at + 2); }
    std::uint32_t t8(std::size_t at) const { return transport[at]; }
    std::uint32_t t16(std::size_t at) const { return static_cast<std::uint32_t>(transport[at] << 8 | transport[at + 1]); }
    std::uint32_t t32(std::size_t at) const { return t16(at) << 16 | t16(at + 2); }

    bool has_ports() const { return (tcp || udp) && transport.size() >= 4; }
    std::size_t tcp_header() const;
    // What follows the transport header, up to the end that IP gives the packet.
    std::span<std::uint8_t> payload() const;
    std::int64_t payload_length() const;  // as the headers say, whatever was captured
};

}  // namespace unibpf::click
