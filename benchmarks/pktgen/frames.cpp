#include "benchmarks/pktgen/frames.hpp"

#include <cstring>
#include <ctime>

namespace pktgen {
namespace {

constexpr std::uint32_t magic = 0x55425047;  // "UBPG"
constexpr std::size_t ip_at = 14, udp_at = 34, payload_at = 42;

void put16(Frame& frame, std::size_t at, std::uint16_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

void put32(Frame& frame, std::size_t at, std::uint32_t value) {
    put16(frame, at, static_cast<std::uint16_t>(value >> 16));
    put16(frame, at + 2, static_cast<std::uint16_t>(value));
}

// RFC 1071: one's complement sum of 16-bit words.
std::uint16_t header_checksum(const Frame& frame) {
    std::uint32_t sum = 0;
    for (std::size_t at = ip_at; at < udp_at; at += 2) sum += static_cast<std::uint32_t>(frame[at] << 8 | frame[at + 1]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace

Frame make_frame(const Flow& flow, const Stamp& stamp) {
    Frame frame{};
    const std::uint8_t ethernet[] = {2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2, 0x08, 0x00};
    std::memcpy(frame.data(), ethernet, sizeof ethernet);
    frame[ip_at] = 0x45;
    put16(frame, ip_at + 2, frame_bytes - ip_at);
    frame[ip_at + 8] = 64;
    frame[ip_at + 9] = 17;
    put32(frame, ip_at + 12, flow.source_address);
    put32(frame, ip_at + 16, flow.destination_address);
    put16(frame, ip_at + 10, header_checksum(frame));
    put16(frame, udp_at, flow.source_port);
    put16(frame, udp_at + 2, flow.destination_port);
    put16(frame, udp_at + 4, frame_bytes - udp_at);
    std::memcpy(&frame[payload_at], &magic, 4);
    std::memcpy(&frame[payload_at + 4], &stamp.traffic_class, 4);
    std::memcpy(&frame[payload_at + 8], &stamp.number, 8);
    std::memcpy(&frame[payload_at + 16], &stamp.sent_ns, 8);
    return frame;
}

std::optional<Stamp> read_stamp(std::span<const std::uint8_t> frame) {
    if (frame.size() < frame_bytes || std::memcmp(&frame[payload_at], &magic, 4) != 0) return std::nullopt;
    Stamp stamp;
    std::memcpy(&stamp.traffic_class, &frame[payload_at + 4], 4);
    std::memcpy(&stamp.number, &frame[payload_at + 8], 8);
    std::memcpy(&stamp.sent_ns, &frame[payload_at + 16], 8);
    return stamp;
}

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace pktgen
