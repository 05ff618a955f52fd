#include "guest/click/elements/summary_view.hpp"

#include <algorithm>

namespace unibpf::click {

SummaryView::SummaryView(Packet& packet) : packet{packet} {
    const std::span<std::uint8_t> network = packet.network();
    if (network.size() < 20 || network[0] >> 4 != 4) return;
    header = (network[0] & 15u) * 4u;
    if (header < 20 || header > network.size()) return;
    ip = network;
    protocol = ip[9];
    const bool first = (ip16(6) & 0x1fff) == 0;
    if (!first) return;
    transport = ip.subspan(header);
    tcp = protocol == 6 && transport.size() >= 20;
    udp = protocol == 17 && transport.size() >= 8;
    icmp = protocol == 1 && transport.size() >= 8;
}

std::size_t SummaryView::tcp_header() const { return (transport[12] >> 4) * std::size_t{4}; }

std::int64_t SummaryView::payload_length() const {
    std::int64_t length = static_cast<std::int64_t>(ip16(2)) - static_cast<std::int64_t>(header);
    if (tcp) length -= static_cast<std::int64_t>(tcp_header());
    if (udp || icmp) length -= 8;
    return std::max<std::int64_t>(length, 0);
}

std::span<std::uint8_t> SummaryView::payload() const {
    std::size_t begin = header;
    if (tcp) begin += tcp_header();
    if (udp || icmp) begin += 8;
    const std::size_t end = std::min<std::size_t>(ip16(2), ip.size());
    return begin < end ? ip.subspan(begin, end - begin) : std::span<std::uint8_t>{};
}

}  // namespace unibpf::click
