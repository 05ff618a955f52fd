#include "guest/elements/ip/ip_marks.hpp"

#include <cstring>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler};
constexpr Handler drop_rows[] = {count_handler, drops_handler};
using Ip = wire::Ipv4<std::uint8_t>;

void check_offset(Args& args, std::uint32_t offset) {
    if (offset > Packet::slot_bytes) args.error("got OFFSET ", offset, ", expected at most ", std::uint32_t{Packet::slot_bytes});
}
}  // namespace

constinit const ElementClass MarkIPHeader::class_row{
    "MarkIPHeader", "1/1", "a/a", "[OFFSET]", "marks where the IP header is", handler_rows, {}, create_element<MarkIPHeader>};
constinit const ElementClass GetIPAddress::class_row{
    "GetIPAddress", "1/1", "a/a", "OFFSET | IP src/dst", "sets the destination annotation from the packet", drop_rows, reason_list<DropReason::too_short>, create_element<GetIPAddress>};
constinit const ElementClass SetIPAddress::class_row{
    "SetIPAddress", "1/1", "a/a", "IPADDR", "sets the destination annotation", handler_rows, {}, create_element<SetIPAddress>};
constinit const ElementClass SetRandIPAddress::class_row{
    "SetRandIPAddress", "1/1", "a/a", "PREFIX [, LIMIT]", "sets the destination annotation to a random address", handler_rows, {}, create_element<SetRandIPAddress>};

void MarkIPHeader::configure(Args& args) {
    args.optional("OFFSET", offset_);
    check_offset(args, offset_);
}

void MarkIPHeader::process(Batch& batch) {
    for (Packet& packet : batch) {
        packet.set_network(static_cast<std::uint16_t>(offset_));
        const std::span<const std::uint8_t> ip = packet.network();
        const std::size_t header = ip.empty() ? 0 : ip[0] >> 4 == 6 ? 40
                                                                    : (ip[0] & 15u) * 4u;
        packet.set_transport(static_cast<std::uint16_t>(offset_ + header));
    }
}

void GetIPAddress::configure(Args& args) {
    std::string_view field;
    if (args.keyword("IP", field)) {
        of_header_ = true;
        offset_ = field == "src" ? Ip::source_at : Ip::destination_at;
        if (field != "src" && field != "dst") args.error("got IP `", field, "`, expected `src` or `dst`");
        return;
    }
    args.required("OFFSET", offset_);
    check_offset(args, offset_);
}

bool GetIPAddress::copy(Packet& packet) const {
    const std::span<const std::uint8_t> bytes = of_header_ ? packet.network() : packet.bytes();
    if (bytes.size() < std::size_t{offset_} + sizeof packet.destination_ip) return false;
    std::memcpy(&packet.destination_ip, &bytes[offset_], sizeof packet.destination_ip);
    return true;
}

void GetIPAddress::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return copy(packet); }, DropReason::too_short);
}

void SetIPAddress::configure(Args& args) { args.required("IPADDR", address_); }

void SetIPAddress::process(Batch& batch) {
    for (Packet& packet : batch) std::memcpy(&packet.destination_ip, address_.data(), sizeof packet.destination_ip);
}

void SetRandIPAddress::configure(Args& args) {
    args.required("PREFIX", prefix_);
    args.optional("LIMIT", limit_);
}

void SetRandIPAddress::process(Batch& batch) {
    const std::uint32_t mask = wire::load32(prefix_.mask.data()), address = wire::load32(prefix_.address.data()) & mask;
    for (Packet& packet : batch) {
        std::uint32_t host = random::next_u32();
        if (limit_ > 0) host %= static_cast<std::uint32_t>(limit_);
        std::uint8_t bytes[4];
        wire::store32(bytes, address | (host & ~mask));
        std::memcpy(&packet.destination_ip, bytes, sizeof bytes);
    }
}

}  // namespace unibpf
