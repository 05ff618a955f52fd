// Numbered test frames: Ethernet, IPv4, UDP, and a payload that says which class, which number, and when it was sent.
//
// A class is one kind of traffic (a destination port); numbers rise by one within a class, so the receiver knows exactly
// which packets are missing. Frames are 66 bytes; times are CLOCK_MONOTONIC nanoseconds, comparable between processes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace pktgen {

inline constexpr std::size_t frame_bytes = 66;
using Frame = std::array<std::uint8_t, frame_bytes>;

struct Stamp {
    std::uint32_t traffic_class = 0;
    std::uint64_t number = 0;
    std::uint64_t sent_ns = 0;
};

struct Flow {
    std::uint32_t source_address = 0x0a000002;       // 10.0.0.2, host byte order
    std::uint32_t destination_address = 0x0a000102;  // 10.0.1.2
    std::uint16_t source_port = 40000;
    std::uint16_t destination_port = 0;
};

// A whole frame with right IPv4 header checksum; UDP checksum 0 (none, RFC 768).
Frame make_frame(const Flow& flow, const Stamp& stamp);

// The stamp of a frame made by make_frame; nothing for any other frame.
std::optional<Stamp> read_stamp(std::span<const std::uint8_t> frame);

std::uint64_t now_ns();

}  // namespace pktgen
