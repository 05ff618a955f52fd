#include "guest/elements/icmp/icmp_ping_responder.hpp"

#include <algorithm>
#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr std::uint8_t reply_ttl = 255;

// RFC 1624 3: an update gives 0000 both where the sum is that and where it is ffff, which is where all bytes are zero. Padding behind
// the packet's own end does not count.
void tell_zero_from_minus_zero(const wire::Ipv4<std::uint8_t>& ip, const wire::Icmp<std::uint8_t>& icmp) {
    const std::span<std::uint8_t> rest = ip.rest();
    const std::size_t total = ip.total_bytes(), header = ip.header_bytes();
    const std::size_t bytes = std::clamp<std::size_t>(total > header ? total - header : 0, icmp.header_bytes, rest.size());
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    if (std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(bytes), is_zero)) wire::store16(&rest[icmp.checksum_at], 0xffff);
}

bool answer(Packet& packet) {
    const auto ip = wire::view<wire::Ipv4>(packet.network());
    if (!ip || ip.protocol() != wire::IpProtocol::icmp || ip.is_fragment()) return false;
    const auto icmp = wire::view<wire::Icmp>(ip.rest());
    if (!icmp || icmp.type() != wire::IcmpType::echo_request) return false;
    ip.swap_addresses();
    ip.set_ttl(reply_ttl);
    icmp.set_type(wire::IcmpType::echo_reply);
    if (icmp.checksum() == 0) tell_zero_from_minus_zero(ip, icmp);
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return true;
}

}  // namespace

constinit const ElementClass ICMPPingResponder::class_row{
    "ICMPPingResponder", "1/1-2", "a/ah", "", "answers ICMP echo requests", handler_rows,
    reason_list<DropReason::no_match>, create_element<ICMPPingResponder>};

void ICMPPingResponder::process(Batch& batch) { split(batch, answer, DropReason::no_match); }

}  // namespace unibpf
