#include "guest/elements/ethernet/host_ether_filter.hpp"

#include <algorithm>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass HostEtherFilter::class_row{
    "HostEtherFilter", "1/1-2", "a/ah", "ETHER [, DROP_OWN, DROP_OTHER, OFFSET]", "drops Ethernet frames that are for others", handler_rows,
    reason_list<DropReason::not_ours>, create_element<HostEtherFilter>};

void HostEtherFilter::configure(Args& args) {
    std::string_view address;
    if (args.required("ETHER", address) && !read_word(address, address_)) device_ = address;
    args.optional("DROP_OWN", drop_own_);
    args.optional("DROP_OTHER", drop_other_);
    args.keyword("OFFSET", offset_);
    if (offset_ > Packet::slot_bytes) args.error("got OFFSET ", offset_, ", expected at most ", std::uint32_t{Packet::slot_bytes});
}

void HostEtherFilter::initialize(Environment& environment, Errors& errors) {
    if (device_.empty()) return;
    if (const Nic* nic = graph_nic(device_, *this, environment, errors)) address_ = nic->mac();
}

bool HostEtherFilter::for_us(Packet& packet) const {
    if (packet.length() < offset_) return false;
    const auto frame = wire::view<wire::Ethernet>(packet.bytes().subspan(offset_));
    if (!frame) return false;
    const auto is = [](std::span<const std::uint8_t> a, const EtherAddress& b) { return std::equal(a.begin(), a.end(), b.begin()); };
    constexpr EtherAddress everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    PacketType type = PacketType::other_host;
    if (is(frame.destination(), everybody)) type = PacketType::broadcast;
    else if ((frame.destination()[0] & 1) != 0) type = PacketType::multicast;
    else if (is(frame.destination(), address_)) type = PacketType::host;
    packet.type = static_cast<std::uint8_t>(type);
    if (drop_own_ && is(frame.source(), address_)) return false;
    return type != PacketType::other_host || !drop_other_;
}

void HostEtherFilter::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return for_us(packet); }, DropReason::not_ours);
}

}  // namespace unibpf
