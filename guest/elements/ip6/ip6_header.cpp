#include "guest/elements/ip6/ip6_header.hpp"

#include <algorithm>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/ipv6.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
using Ip6 = wire::Ipv6<std::uint8_t>;

bool covers(const Ip6Prefix& prefix, const std::uint8_t* address) {
    const std::size_t bytes = prefix.length / 8, bits = prefix.length % 8;
    if (!std::equal(address, address + bytes, prefix.address.begin())) return false;
    return bits == 0 || ((address[bytes] ^ prefix.address[bytes]) >> (8 - bits)) == 0;
}
}  // namespace

constinit const ElementClass CheckIP6Header::class_row{
    "CheckIP6Header", "1/1-2", "a/ah", "[OFFSET] [, OFFSET, BADSRC]", "checks IPv6 headers", handler_rows,
    reason_list<DropReason::too_short, DropReason::bad_header, DropReason::bad_source>, create_element<CheckIP6Header>};
constinit const ElementClass DecIP6HLIM::class_row{
    "DecIP6HLIM", "1/1-2", "a/ah", "", "takes one off the hop limit", handler_rows, reason_list<DropReason::expired>, create_element<DecIP6HLIM>};
constinit const ElementClass LookupIP6Route::class_row{
    "LookupIP6Route", "1/-", "h/h", "PREFIX OUT, ...", "routes IPv6 packets by a table", handler_rows, reason_list<DropReason::no_route>, create_element<LookupIP6Route>};

void CheckIP6Header::configure(Args& args) {
    args.optional("OFFSET", offset_);
    if (offset_ > Packet::slot_bytes) args.error("got OFFSET ", offset_, ", expected at most ", std::uint32_t{Packet::slot_bytes});
    AnyText bad;
    args.keyword("BADSRC", bad);
    for (std::string_view word = next_word(bad.text); !word.empty(); word = next_word(bad.text)) {
        if (bad_count_ == most_bad) return args.error("more than ", most_bad, " addresses in BADSRC");
        if (!read_word(word, bad_[bad_count_++])) args.error("got `", word, "` in BADSRC, expected an IPv6 address");
    }
}

bool CheckIP6Header::check(Packet& packet, DropReason& reason) const {
    reason = DropReason::too_short;
    if (packet.length() < offset_ + Ip6::header_bytes) return false;
    const auto ip = wire::view<wire::Ipv6>(packet.bytes().subspan(offset_));
    if (!ip) return reason = DropReason::bad_header, false;
    if (!ip.length_holds()) return false;
    const auto source = ip.source();
    const bool bad = std::any_of(bad_.begin(), bad_.begin() + bad_count_, [&](const Ip6Address& address) { return std::equal(source.begin(), source.end(), address.begin()); });
    if (bad || source[0] == 0xff) return reason = DropReason::bad_source, false;
    packet.set_network(static_cast<std::uint16_t>(offset_));
    packet.set_transport(static_cast<std::uint16_t>(offset_ + Ip6::header_bytes));
    packet.trim(static_cast<std::uint16_t>(packet.length() - offset_ - Ip6::header_bytes - ip.payload_bytes()));
    return true;
}

void CheckIP6Header::process(Batch& batch) {
    Batch bad;
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        DropReason reason{};
        if (check(*packet, reason)) batch.push_back(std::move(packet));
        else if (outputs() > 1) bad.push_back(std::move(packet));
        else drop(std::move(packet), reason);
    }
    if (!bad.empty()) output(1).push(std::move(bad));
}

void DecIP6HLIM::process(Batch& batch) {
    auto lives = [](Packet& packet) {
        const auto ip = wire::view<wire::Ipv6>(packet.network());
        if (!ip || ip.hop_limit() <= 1) return false;
        ip.set_hop_limit(static_cast<std::uint8_t>(ip.hop_limit() - 1));
        return true;
    };
    split(batch, lives, DropReason::expired);
}

void LookupIP6Route::configure(Args& args) {
    routes_ = make_array<Route>(args.left());
    if (!routes_) return args.error("no memory for ", args.left(), " routes");
    while (const Arg* arg = args.next()) {
        std::string_view rest = arg->text;
        Route route;
        Ip6Address gateway{};
        const bool prefix = read_word(next_word(rest), route.prefix);
        std::string_view word = next_word(rest), after = next_word(rest);
        if (!after.empty() && read_word(word, gateway) && gateway == Ip6Address{}) word = after;
        if (!prefix || !read_word(word, route.output) || route.output >= outputs())
            args.errors().add(arg->place, "`", name(), "`: got `", arg->text, "`, expected a route such as `2001:db8::/32 0`, without a gateway");
        routes_[count_++] = route;
    }
    std::sort(routes_.begin(), routes_.begin() + count_, [](const Route& a, const Route& b) { return a.prefix.length > b.prefix.length; });
}

std::uint16_t LookupIP6Route::find(Packet& packet) const {
    const auto ip = wire::view<wire::Ipv6>(packet.network());
    for (std::size_t i = 0; ip && i < count_; ++i)
        if (covers(routes_[i].prefix, ip.destination().data())) return routes_[i].output;
    return 0xffff;
}

void LookupIP6Route::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t i = 0;
    for (Packet& packet : batch) ports[i++] = find(packet);
    distribute(std::move(batch), ports, DropReason::no_route);
}

}  // namespace unibpf
