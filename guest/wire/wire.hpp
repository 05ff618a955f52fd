// The fields of Ethernet, ARP, IPv4 and ICMP headers that elements read and write, byte by byte (no alignment, no aliasing).
//
// Nothing here checks bounds: the caller has compared the packet's length with the header's size first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace unibpf::wire {

inline std::uint16_t load16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
inline void store16(std::uint8_t* at, std::uint16_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
inline void swap_bytes(std::uint8_t* a, std::uint8_t* b, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

// RFC 1071: 0 when the sum over a header with its checksum is right.
inline std::uint16_t checksum(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load16(&bytes[i]);
    if (bytes.size() % 2) sum += static_cast<std::uint32_t>(bytes.back()) << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// RFC 1624, equation 3: a checksum after one 16-bit word changed.
inline std::uint16_t updated_checksum(std::uint16_t old_sum, std::uint16_t old_word, std::uint16_t new_word) {
    std::uint32_t sum = static_cast<std::uint16_t>(~old_sum);
    sum += static_cast<std::uint16_t>(~old_word);
    sum += new_word;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

namespace ether {
inline constexpr std::size_t kDestination = 0, kSource = 6, kType = 12, kSize = 14, kAddressSize = 6;
inline constexpr std::uint16_t kArp = 0x0806, kIp = 0x0800;
}  // namespace ether

namespace arp {  // RFC 826, from the start of the ARP packet
inline constexpr std::size_t kHardware = 0, kProtocol = 2, kSizes = 4, kOperation = 6;
inline constexpr std::size_t kSenderEther = 8, kSenderIp = 14, kTargetEther = 18, kTargetIp = 24, kSize = 28;
inline constexpr std::uint16_t kRequest = 1, kReply = 2;
}  // namespace arp

namespace ip {  // RFC 791
inline constexpr std::size_t kVersionLength = 0, kTotalLength = 2, kFragment = 6, kTtl = 8, kProtocol = 9, kChecksum = 10;
inline constexpr std::size_t kSource = 12, kDestination = 16, kSize = 20, kAddressSize = 4;
inline constexpr std::uint8_t kIcmp = 1;
inline std::size_t header_size(const std::uint8_t* header) { return (header[kVersionLength] & 15u) * 4u; }
}  // namespace ip

namespace icmp {  // RFC 792
inline constexpr std::size_t kType = 0, kChecksum = 2, kSize = 8;
inline constexpr std::uint8_t kEchoReply = 0, kEchoRequest = 8;
}  // namespace icmp

}  // namespace unibpf::wire
