#include "guest/elements/ip/forward/dec_ip_ttl.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/elements/ip/forward/ip_hop.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler, setting_handler<DecIPTTL, &DecIPTTL::active, &DecIPTTL::set_active>("active")};
constexpr Handler drop_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass DecIPTTL::class_row{
    "DecIPTTL", "1/1-2", "a/ah", "[ACTIVE, MULTICAST]", "takes one off the time to live", handler_rows, reason_list<DropReason::expired>, create_element<DecIPTTL>};
constinit const ElementClass DropBroadcasts::class_row{
    "DropBroadcasts", "1/1", "a/a", "", "drops packets that the link sent to everybody", drop_rows, reason_list<DropReason::broadcast>, create_element<DropBroadcasts>};

void DecIPTTL::configure(Args& args) {
    args.keyword("ACTIVE", active_);
    args.keyword("MULTICAST", multicast_);
}

void DecIPTTL::process(Batch& batch) {
    if (!active_) return;
    auto lives = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (!ip) return false;
        if (!multicast_ && ip.destination() >> 28 == 14) return true;
        return ip_hop::take_ttl(ip);
    };
    split(batch, lives, DropReason::expired);
}

void DropBroadcasts::process(Batch& batch) {
    auto for_us = [](const Packet& packet) {
        return packet.type != static_cast<std::uint8_t>(PacketType::broadcast) && packet.type != static_cast<std::uint8_t>(PacketType::multicast);
    };
    keep(batch, for_us, DropReason::broadcast);
}

}  // namespace unibpf
