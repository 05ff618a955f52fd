#include "guest/control/net/frames.hpp"

#include <algorithm>

namespace unibpf::net {

namespace {

constexpr std::size_t ethernet_header = 14;
constexpr std::size_t ip_header = 20;
constexpr std::size_t udp_header = 8;
constexpr std::size_t arp_length = 28;
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_arp = 0x0806;
constexpr std::uint8_t protocol_icmp = 1;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint16_t dont_fragment = 0x4000;
constexpr std::uint16_t fragment_bits = 0x3fff;  // more-fragments and offset
constexpr std::uint8_t icmp_echo_request = 8;
constexpr std::uint8_t time_to_live = 64;
constexpr std::array<std::uint8_t, 6> arp_ethernet_ipv4{0, 1, 8, 0, 6, 4};

std::uint16_t read16(Bytes bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
std::uint32_t read32(Bytes bytes, std::size_t at) { return std::uint32_t{read16(bytes, at)} << 16 | read16(bytes, at + 2); }
void write16(std::span<std::uint8_t> out, std::size_t at, std::uint16_t value) {
    out[at] = static_cast<std::uint8_t>(value >> 8);
    out[at + 1] = static_cast<std::uint8_t>(value);
}
void write32(std::span<std::uint8_t> out, std::size_t at, std::uint32_t value) {
    write16(out, at, static_cast<std::uint16_t>(value >> 16));
    write16(out, at + 2, static_cast<std::uint16_t>(value));
}
void write_mac(std::span<std::uint8_t> out, std::size_t at, const MacAddress& mac) {
    std::copy(mac.begin(), mac.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
}

// RFC 1071, one's complement sum without the final complement.
std::uint32_t sum(Bytes bytes, std::uint32_t start = 0) {
    std::uint64_t total = start;
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) total += read16(bytes, i);
    if (i < bytes.size()) total += std::uint32_t{bytes[i]} << 8;
    while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint32_t>(total);
}
std::uint16_t checksum(Bytes bytes, std::uint32_t start = 0) { return static_cast<std::uint16_t>(~sum(bytes, start)); }

// RFC 768: the pseudo header's part of the sum.
std::uint32_t pseudo_header(std::uint32_t source, std::uint32_t destination, std::size_t udp_length) {
    return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) + protocol_udp +
           static_cast<std::uint32_t>(udp_length);
}

Incoming ignored(FrameKind why) { return Incoming{why, {}, {}}; }

Incoming classify_arp(Bytes arp, const Local& local) {
    if (arp.size() < arp_length) return ignored(FrameKind::too_short);
    if (!std::equal(arp_ethernet_ipv4.begin(), arp_ethernet_ipv4.end(), arp.begin()) || read16(arp, 6) != 1) {
        return ignored(FrameKind::other_protocol);
    }
    if (read32(arp, 24) != local.address) return ignored(FrameKind::not_ours);
    Incoming incoming{FrameKind::arp_request, {}, {}};
    std::copy_n(arp.begin() + 8, 6, incoming.peer.mac.begin());
    incoming.peer.address = read32(arp, 14);
    return incoming;
}

Incoming classify_udp(Bytes udp, Incoming incoming, const Local& local) {
    if (udp.size() < udp_header) return ignored(FrameKind::too_short);
    const std::size_t length = read16(udp, 4);
    if (length < udp_header || length > udp.size()) return ignored(FrameKind::bad_header);
    if (read16(udp, 2) != local.port) return ignored(FrameKind::not_ours);
    const Bytes datagram = udp.first(length);
    // RFC 768: an all-zero checksum means there is none.
    if (read16(udp, 6) != 0 &&
        checksum(datagram, pseudo_header(incoming.peer.address, local.address, length)) != 0) {
        return ignored(FrameKind::bad_checksum);
    }
    incoming.kind = FrameKind::datagram;
    incoming.peer.port = read16(udp, 0);
    incoming.payload = datagram.subspan(udp_header);
    return incoming;
}

Incoming classify_icmp(Bytes icmp, Incoming incoming) {
    if (icmp.size() < 8) return ignored(FrameKind::too_short);
    if (icmp[0] != icmp_echo_request || icmp[1] != 0) return ignored(FrameKind::other_protocol);
    if (checksum(icmp) != 0) return ignored(FrameKind::bad_checksum);
    incoming.kind = FrameKind::echo_request;
    incoming.payload = icmp;
    return incoming;
}

Incoming classify_ipv4(Bytes ip, Incoming incoming, const Local& local) {
    if (ip.size() < ip_header) return ignored(FrameKind::too_short);
    const std::size_t header = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
    const std::size_t total = read16(ip, 2);
    if (ip[0] >> 4 != 4 || header < ip_header || total < header || total > ip.size()) return ignored(FrameKind::bad_header);
    if (checksum(ip.first(header)) != 0) return ignored(FrameKind::bad_checksum);
    if (read32(ip, 16) != local.address) return ignored(FrameKind::not_ours);
    if ((read16(ip, 6) & fragment_bits) != 0) return ignored(FrameKind::fragment);
    incoming.peer.address = read32(ip, 12);
    const Bytes content = ip.first(total).subspan(header);
    if (ip[9] == protocol_udp) return classify_udp(content, incoming, local);
    if (ip[9] == protocol_icmp) return classify_icmp(content, incoming);
    return ignored(FrameKind::other_protocol);
}

// Ethernet and IPv4 headers before `content` bytes that are already in place.
void put_headers(const Local& local, const Peer& peer, std::uint8_t protocol, std::size_t content,
                 std::span<std::uint8_t> out) {
    write_mac(out, 0, peer.mac);
    write_mac(out, 6, local.mac);
    write16(out, 12, ethertype_ipv4);
    const std::span<std::uint8_t> ip = out.subspan(ethernet_header, ip_header);
    std::fill(ip.begin(), ip.end(), std::uint8_t{0});
    ip[0] = 0x45;
    write16(ip, 2, static_cast<std::uint16_t>(ip_header + content));
    write16(ip, 6, dont_fragment);
    ip[8] = time_to_live;
    ip[9] = protocol;
    write32(ip, 12, local.address);
    write32(ip, 16, peer.address);
    write16(ip, 10, checksum(ip));
}

}  // namespace

std::string_view frame_kind_name(FrameKind kind) {
    constexpr std::array<std::string_view, frame_kind_count> names{
        "datagram", "arp-request", "echo-request", "too-short", "not-ours", "other-protocol",
        "bad-header", "bad-checksum", "fragment"};
    return names[static_cast<std::size_t>(kind)];
}

Incoming classify(Bytes frame, const Local& local) {
    if (frame.size() < ethernet_header) return ignored(FrameKind::too_short);
    const std::uint16_t type = read16(frame, 12);
    const Bytes content = frame.subspan(ethernet_header);
    if (type == ethertype_arp) return classify_arp(content, local);
    if (type != ethertype_ipv4) return ignored(FrameKind::other_protocol);
    if (!std::equal(local.mac.begin(), local.mac.end(), frame.begin())) return ignored(FrameKind::not_ours);
    Incoming incoming;
    std::copy_n(frame.begin() + 6, 6, incoming.peer.mac.begin());
    return classify_ipv4(content, incoming, local);
}

std::size_t finish_datagram(const Local& local, const Peer& peer, std::size_t payload_length, std::span<std::uint8_t> out) {
    const std::size_t udp_length = udp_header + payload_length;
    put_headers(local, peer, protocol_udp, udp_length, out);
    const std::span<std::uint8_t> udp = out.subspan(ethernet_header + ip_header, udp_length);
    write16(udp, 0, local.port);
    write16(udp, 2, peer.port);
    write16(udp, 4, static_cast<std::uint16_t>(udp_length));
    write16(udp, 6, 0);
    const std::uint16_t sum_field = checksum(udp, pseudo_header(local.address, peer.address, udp_length));
    write16(udp, 6, sum_field == 0 ? 0xffff : sum_field);  // RFC 768: zero is sent as all ones
    return datagram_offset + payload_length;
}

std::size_t make_arp_reply(const Local& local, const Peer& peer, std::span<std::uint8_t> out) {
    write_mac(out, 0, peer.mac);
    write_mac(out, 6, local.mac);
    write16(out, 12, ethertype_arp);
    const std::span<std::uint8_t> arp = out.subspan(ethernet_header, arp_length);
    std::copy(arp_ethernet_ipv4.begin(), arp_ethernet_ipv4.end(), arp.begin());
    write16(arp, 6, 2);  // reply
    write_mac(arp, 8, local.mac);
    write32(arp, 14, local.address);
    write_mac(arp, 18, peer.mac);
    write32(arp, 24, peer.address);
    return ethernet_header + arp_length;
}

std::size_t make_echo_reply(const Local& local, const Peer& peer, Bytes request, std::span<std::uint8_t> out) {
    const std::size_t offset = ethernet_header + ip_header;
    if (request.size() > out.size() - offset) return 0;
    const std::span<std::uint8_t> icmp = out.subspan(offset, request.size());
    std::copy(request.begin(), request.end(), icmp.begin());
    icmp[0] = 0;  // echo reply
    write16(icmp, 2, 0);
    write16(icmp, 2, checksum(icmp));
    put_headers(local, peer, protocol_icmp, icmp.size(), out);
    return offset + icmp.size();
}

}  // namespace unibpf::net
