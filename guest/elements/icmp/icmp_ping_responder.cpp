#include "guest/elements/icmp/icmp_ping_responder.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {

constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};
constexpr std::uint8_t kReplyTtl = 255;

bool answer(Packet& packet) {
    const auto ip = wire::view<wire::Ipv4>(packet.network());
    if (!ip || ip.protocol() != wire::IpProtocol::icmp || ip.is_fragment()) return false;
    const auto icmp = wire::view<wire::Icmp>(ip.rest());
    if (!icmp || icmp.type() != wire::IcmpType::echo_request) return false;
    ip.swap_addresses();
    ip.set_ttl(kReplyTtl);
    icmp.set_type(wire::IcmpType::echo_reply);
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return true;
}

}  // namespace

constinit const ElementClass ICMPPingResponder::kClass{
    "ICMPPingResponder", "1/1-2", "a/ah", "", "answers ICMP echo requests", kHandlers, create_element<ICMPPingResponder>};

void ICMPPingResponder::process(Batch& batch) { split(batch, answer, DropReason::no_match); }

}  // namespace unibpf
