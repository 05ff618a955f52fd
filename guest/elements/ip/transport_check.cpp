#include "guest/elements/ip/transport_check.hpp"

#include <algorithm>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/tcp.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf {

namespace {

constexpr Handler rows[] = {count_handler, drops_handler};
constexpr std::span<const DropReason> reasons = reason_list<DropReason::bad_header, DropReason::too_short, DropReason::bad_checksum, DropReason::no_match>;
using Ip = wire::Ipv4<std::uint8_t>;

bool failed(DropReason& reason, DropReason with) { return reason = with, false; }

bool check_tcp(const Ip& ip, DropReason& reason) {
    if (ip.protocol() != wire::IpProtocol::tcp) return failed(reason, DropReason::no_match);
    const auto tcp = wire::view<wire::Tcp>(ip.payload());
    if (!tcp) return failed(reason, ip.payload().size() < wire::Tcp<std::uint8_t>::least_header_bytes ? DropReason::too_short : DropReason::bad_header);
    return ip.is_fragment() || tcp.checksum_holds(ip.pseudo_sum(ip.payload().size())) || failed(reason, DropReason::bad_checksum);
}

bool check_udp(const Ip& ip, DropReason& reason) {
    if (ip.protocol() != wire::IpProtocol::udp) return failed(reason, DropReason::no_match);
    const auto udp = wire::view<wire::Udp>(ip.payload());
    if (!udp) return failed(reason, DropReason::too_short);
    if (ip.is_fragment()) return true;
    if (!udp.length_holds()) return failed(reason, DropReason::bad_header);
    return udp.checksum_holds(ip.pseudo_sum(udp.total_bytes())) || failed(reason, DropReason::bad_checksum);
}

// RFC 792: errors quote a header, timestamps are twelve bytes longer than the rest.
std::size_t least_icmp(std::uint8_t type) {
    if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12) return 8 + Ip::least_header_bytes;
    return type == 13 || type == 14 ? 20 : 8;
}

bool check_icmp(const Ip& ip, DropReason& reason) {
    if (ip.protocol() != wire::IpProtocol::icmp) return failed(reason, DropReason::no_match);
    const auto icmp = wire::view<wire::Icmp>(ip.payload());
    if (!icmp || ip.payload().size() < least_icmp(static_cast<std::uint8_t>(icmp.type()))) return failed(reason, DropReason::too_short);
    return ip.is_fragment() || icmp.checksum_holds() || failed(reason, DropReason::bad_checksum);
}

}  // namespace

CheckTCPHeader::CheckTCPHeader() : TransportCheck{check_tcp} {}
CheckUDPHeader::CheckUDPHeader() : TransportCheck{check_udp} {}
CheckICMPHeader::CheckICMPHeader() : TransportCheck{check_icmp} {}
SetTCPChecksum::SetTCPChecksum() : TransportSum{wire::IpProtocol::tcp, wire::Tcp<std::uint8_t>::checksum_at, wire::Tcp<std::uint8_t>::least_header_bytes} {}
SetUDPChecksum::SetUDPChecksum() : TransportSum{wire::IpProtocol::udp, wire::Udp<std::uint8_t>::checksum_at, wire::Udp<std::uint8_t>::header_bytes} {}

constinit const ElementClass CheckTCPHeader::class_row{"CheckTCPHeader", "1/1-2", "a/ah", "[VERBOSE, DETAILS]", "checks TCP headers", rows, reasons, create_element<CheckTCPHeader>};
constinit const ElementClass CheckUDPHeader::class_row{"CheckUDPHeader", "1/1-2", "a/ah", "[VERBOSE, DETAILS]", "checks UDP headers", rows, reasons, create_element<CheckUDPHeader>};
constinit const ElementClass CheckICMPHeader::class_row{"CheckICMPHeader", "1/1-2", "a/ah", "[VERBOSE, DETAILS]", "checks ICMP headers", rows, reasons, create_element<CheckICMPHeader>};
constinit const ElementClass SetTCPChecksum::class_row{"SetTCPChecksum", "1/1", "a/a", "", "makes the checksum of TCP anew", rows, reason_list<DropReason::no_match>, create_element<SetTCPChecksum>};
constinit const ElementClass SetUDPChecksum::class_row{"SetUDPChecksum", "1/1", "a/a", "", "makes the checksum of UDP anew", rows, reason_list<DropReason::no_match>, create_element<SetUDPChecksum>};

void TransportCheck::configure(Args& args) {
    bool ignored = false;
    args.keyword("VERBOSE", ignored);
    args.keyword("DETAILS", ignored);
}

void TransportCheck::process(Batch& batch) {
    Batch bad;
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        const auto ip = wire::view<wire::Ipv4>(packet->network());
        DropReason reason = DropReason::bad_header;
        const bool whole = ip && ip.length_fault() == wire::IpFault::none;
        if (whole && (ip.fragment_offset() != 0 || check_(ip, reason))) batch.push_back(std::move(packet));
        else if (outputs() > 1) bad.push_back(std::move(packet));
        else drop(std::move(packet), reason);
    }
    if (!bad.empty()) output(1).push(std::move(bad));
}

void TransportSum::process(Batch& batch) {
    auto set = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (!ip || ip.protocol() != protocol_ || ip.is_fragment() || ip.length_fault() != wire::IpFault::none || ip.payload().size() < header_) return false;
        const std::span<std::uint8_t> payload = ip.payload();
        wire::store16(&payload[checksum_at_], 0);
        const std::uint16_t sum = wire::checksum(payload, ip.pseudo_sum(payload.size()));
        wire::store16(&payload[checksum_at_], sum == 0 && protocol_ == wire::IpProtocol::udp ? 0xffff : sum);
        return true;
    };
    keep(batch, set, DropReason::no_match);
}

}  // namespace unibpf
