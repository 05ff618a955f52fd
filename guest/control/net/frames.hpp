// The smallest IPv4 host there is: Ethernet, ARP, ICMP echo and UDP on one port, as pure functions over bytes.
//
// No state and no ARP table: every answer goes back to the Ethernet address that the question came from. Fragments, IP options
// beyond their length, broadcasts and wrong checksums are ignored by name. `classify` reads no byte outside the frame.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/core/bytes.hpp"

namespace unibpf::net {

using MacAddress = std::array<std::uint8_t, 6>;

struct Local {
    MacAddress mac{};
    std::uint32_t address = 0;  // host byte order
    std::uint16_t port = 0;
};

struct Peer {
    MacAddress mac{};
    std::uint32_t address = 0;
    std::uint16_t port = 0;
};

enum class FrameKind : std::uint8_t {
    datagram,       // UDP for the port: `payload` is its content
    arp_request,    // for our address
    echo_request,   // ICMP echo to our address: `payload` is the ICMP message
    // ignored, and why
    too_short,
    not_ours,
    other_protocol,
    bad_header,
    bad_checksum,
    fragment,
};
inline constexpr std::size_t frame_kind_count = 9;
std::string_view frame_kind_name(FrameKind kind);

struct Incoming {
    FrameKind kind = FrameKind::too_short;
    Peer peer;
    Bytes payload;
};

Incoming classify(Bytes frame, const Local& local);

inline constexpr std::size_t datagram_offset = 14 + 20 + 8;  // Ethernet, IPv4, UDP

// Fills in the headers before a payload that already stands at `datagram_offset`; returns the frame's length.
std::size_t finish_datagram(const Local& local, const Peer& peer, std::size_t payload_length, std::span<std::uint8_t> out);
std::size_t make_arp_reply(const Local& local, const Peer& peer, std::span<std::uint8_t> out);
// 0 if the echo does not fit.
std::size_t make_echo_reply(const Local& local, const Peer& peer, Bytes request, std::span<std::uint8_t> out);

}  // namespace unibpf::net
