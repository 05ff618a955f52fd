#include "guest/elements/icmp/icmp_ping_encap.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler, setting_handler<ICMPPingEncap, &ICMPPingEncap::source, &ICMPPingEncap::set_source>("src"),
                                    setting_handler<ICMPPingEncap, &ICMPPingEncap::destination, &ICMPPingEncap::set_destination>("dst")};
}  // namespace

constinit const ElementClass ICMPPingEncap::class_row{
    "ICMPPingEncap", "1/1", "a/a", "SRC, DST [, IDENTIFIER]", "puts an IP header and an ICMP echo request before packets", handler_rows,
    reason_list<DropReason::no_headroom>, create_element<ICMPPingEncap>};

void ICMPPingEncap::configure(Args& args) {
    args.required("SRC", source_);
    args.required("DST", destination_);
    args.keyword("IDENTIFIER", identifier_);
}

bool ICMPPingEncap::encapsulate(Packet& packet) {
    using Ip = wire::Ipv4<std::uint8_t>;
    using Icmp = wire::Icmp<std::uint8_t>;
    if (!packet.push(Ip::least_header_bytes + Icmp::header_bytes)) return false;
    const auto ip = Ip::write(packet.bytes(), wire::IpProtocol::icmp, wire::load32(source_.data()), wire::load32(destination_.data()), 255);
    ip.set_fragment(0);
    ip.set_id(++id_);
    ip.set_checksum();
    const std::span<std::uint8_t> message = ip.rest();
    std::memset(message.data(), 0, Icmp::header_bytes);
    message[0] = static_cast<std::uint8_t>(wire::IcmpType::echo_request);
    wire::store16(&message[4], identifier_);
    wire::store16(&message[6], sequence_++);
    wire::view<wire::Icmp>(message).set_checksum();
    packet.set_network(0);
    packet.set_transport(Ip::least_header_bytes);
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return true;
}

void ICMPPingEncap::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return encapsulate(packet); }, DropReason::no_headroom);
}

}  // namespace unibpf
