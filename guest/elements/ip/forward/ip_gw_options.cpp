#include "guest/elements/ip/forward/ip_gw_options.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass IPGWOptions::class_row{
    "IPGWOptions", "1/1-2", "a/ah", "MYADDR [, OTHERADDRS]", "fills in IP options as a router has to", handler_rows, reason_list<DropReason::bad_header>, create_element<IPGWOptions>};

void IPGWOptions::configure(Args& args) { read_addresses(args, own_); }

void IPGWOptions::read_addresses(Args& args, ip_hop::Addresses& own) {
    IpAddress address{};
    if (args.required("MYADDR", address)) own.list[own.count++] = wire::load32(address.data());
    AnyText others;
    args.optional("OTHERADDRS", others);
    for (std::string_view word = next_word(others.text); !word.empty(); word = next_word(others.text)) {
        if (own.count == ip_hop::Addresses::most) return args.error("more than ", ip_hop::Addresses::most - 1, " addresses in OTHERADDRS");
        if (read_word(word, address)) own.list[own.count++] = wire::load32(address.data());
        else args.error("got `", word, "` in OTHERADDRS, expected an IP address");
    }
}

void IPGWOptions::process(Batch& batch) {
    auto fill = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (!ip) return false;
        if (ip.header_bytes() == ip_hop::Ip::least_header_bytes) return true;
        packet.parameter = ip_hop::fill_options(ip, own_, router().now());
        return packet.parameter == 0;
    };
    split(batch, fill, DropReason::bad_header);
}

}  // namespace unibpf
