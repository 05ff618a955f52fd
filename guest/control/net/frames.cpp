#include "guest/control/net/frames.hpp"

#include <algorithm>

#include "guest/wire/arp.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/ipv4.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf::net {

namespace {

using Frame = wire::Ethernet<std::uint8_t>;
constexpr std::size_t ip_at = Frame::header_bytes;
constexpr std::size_t ip_header = wire::Ipv4<std::uint8_t>::least_header_bytes;
constexpr std::size_t udp_header = wire::Udp<std::uint8_t>::header_bytes;
constexpr std::size_t arp_bytes = wire::Arp<std::uint8_t>::header_bytes;
constexpr std::uint8_t time_to_live = 64;
static_assert(datagram_offset == ip_at + ip_header + udp_header);

Incoming ignored(FrameKind why) { return Incoming{why, {}, {}}; }

Incoming classify_arp(Bytes bytes, const Local& local) {
    const auto arp = wire::view<wire::Arp>(bytes);
    if (!arp) return ignored(FrameKind::too_short);
    if (!arp.is_ipv4_over_ethernet() || arp.operation() != wire::ArpOperation::request) return ignored(FrameKind::other_protocol);
    if (wire::load32(arp.target_ip().data()) != local.address) return ignored(FrameKind::not_ours);
    Incoming incoming{FrameKind::arp_request, {}, {}};
    std::ranges::copy(arp.sender_ether(), incoming.peer.mac.begin());
    incoming.peer.address = wire::load32(arp.sender_ip().data());
    return incoming;
}

Incoming classify_udp(const wire::Ipv4<const std::uint8_t>& ip, Incoming incoming, const Local& local) {
    const auto udp = wire::view<wire::Udp>(ip.payload());
    if (!udp) return ignored(FrameKind::too_short);
    if (!udp.length_holds()) return ignored(FrameKind::bad_header);
    if (udp.destination() != local.port) return ignored(FrameKind::not_ours);
    if (!udp.checksum_holds(ip.pseudo_sum(udp.total_bytes()))) return ignored(FrameKind::bad_checksum);
    incoming.kind = FrameKind::datagram;
    incoming.peer.port = udp.source();
    incoming.payload = udp.payload();
    return incoming;
}

Incoming classify_icmp(Bytes bytes, Incoming incoming) {
    const auto icmp = wire::view<wire::Icmp>(bytes);
    if (!icmp) return ignored(FrameKind::too_short);
    if (icmp.type() != wire::IcmpType::echo_request || icmp.code() != 0) return ignored(FrameKind::other_protocol);
    if (!icmp.checksum_holds()) return ignored(FrameKind::bad_checksum);
    incoming.kind = FrameKind::echo_request;
    incoming.payload = bytes;
    return incoming;
}

Incoming classify_ipv4(Bytes bytes, Incoming incoming, const Local& local) {
    if (bytes.size() < ip_header) return ignored(FrameKind::too_short);
    const auto ip = wire::view<wire::Ipv4>(bytes);
    if (!ip || ip.length_fault() != wire::IpFault::none) return ignored(FrameKind::bad_header);
    if (!ip.checksum_holds()) return ignored(FrameKind::bad_checksum);
    if (ip.destination() != local.address) return ignored(FrameKind::not_ours);
    if (ip.is_fragment()) return ignored(FrameKind::fragment);
    incoming.peer.address = ip.source();
    if (ip.protocol() == wire::IpProtocol::udp) return classify_udp(ip, incoming, local);
    if (ip.protocol() == wire::IpProtocol::icmp) return classify_icmp(ip.payload(), incoming);
    return ignored(FrameKind::other_protocol);
}

// `out` begins with room for the header.
Frame write_ethernet(const Local& local, const Peer& peer, wire::EtherType type, std::span<std::uint8_t> out) {
    const auto frame = wire::view<wire::Ethernet>(out);
    frame.set_destination(peer.mac);
    frame.set_source(local.mac);
    frame.set_type(type);
    return frame;
}

// Ethernet and IPv4 headers before `content` bytes that are already in place.
wire::Ipv4<std::uint8_t> write_headers(const Local& local, const Peer& peer, wire::IpProtocol protocol, std::size_t content,
                                       std::span<std::uint8_t> out) {
    const Frame frame = write_ethernet(local, peer, wire::EtherType::ipv4, out);
    return wire::Ipv4<std::uint8_t>::write(frame.payload().first(ip_header + content), protocol, local.address, peer.address, time_to_live);
}

}  // namespace

std::string_view frame_kind_name(FrameKind kind) {
    constexpr std::array<std::string_view, frame_kind_count> names{
        "datagram", "arp-request", "echo-request", "too-short", "not-ours", "other-protocol",
        "bad-header", "bad-checksum", "fragment"};
    return names[static_cast<std::size_t>(kind)];
}

Incoming classify(Bytes bytes, const Local& local) {
    const auto frame = wire::view<wire::Ethernet>(bytes);
    if (!frame) return ignored(FrameKind::too_short);
    if (frame.type() == wire::EtherType::arp) return classify_arp(frame.payload(), local);
    if (frame.type() != wire::EtherType::ipv4) return ignored(FrameKind::other_protocol);
    if (!std::ranges::equal(frame.destination(), local.mac)) return ignored(FrameKind::not_ours);
    Incoming incoming;
    std::ranges::copy(frame.source(), incoming.peer.mac.begin());
    return classify_ipv4(frame.payload(), incoming, local);
}

std::size_t finish_datagram(const Local& local, const Peer& peer, std::size_t payload_length, std::span<std::uint8_t> out) {
    const std::size_t udp_bytes = udp_header + payload_length;
    const auto ip = write_headers(local, peer, wire::IpProtocol::udp, udp_bytes, out);
    const auto udp = wire::view<wire::Udp>(ip.payload());
    udp.set_source(local.port);
    udp.set_destination(peer.port);
    udp.set_total_bytes(udp_bytes);
    udp.set_checksum(ip.pseudo_sum(udp_bytes));
    return datagram_offset + payload_length;
}

std::size_t make_arp_reply(const Local& local, const Peer& peer, std::span<std::uint8_t> out) {
    const Frame frame = write_ethernet(local, peer, wire::EtherType::arp, out);
    const auto arp = wire::view<wire::Arp>(frame.payload());
    arp.set_kinds();
    arp.set_operation(wire::ArpOperation::reply);
    arp.set_sender_ether(local.mac);
    arp.set_sender_ip(local.address);
    arp.set_target_ether(peer.mac);
    arp.set_target_ip(peer.address);
    return ip_at + arp_bytes;
}

std::size_t make_echo_reply(const Local& local, const Peer& peer, Bytes request, std::span<std::uint8_t> out) {
    constexpr std::size_t offset = ip_at + ip_header;
    if (request.size() > out.size() - offset) return 0;
    std::ranges::copy(request, out.begin() + offset);
    const auto icmp = wire::view<wire::Icmp>(out.subspan(offset, request.size()));
    icmp.set_type(wire::IcmpType::echo_reply);
    icmp.set_checksum();
    write_headers(local, peer, wire::IpProtocol::icmp, request.size(), out);
    return offset + request.size();
}

}  // namespace unibpf::net
