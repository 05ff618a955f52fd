#include "guest/elements/ethernet/ether_vlan.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr Handler vlan_rows[] = {count_handler, drops_handler, setting_handler<EtherVLANEncap, &EtherVLANEncap::tag, &EtherVLANEncap::set_tag>("vlan_tci")};
constexpr std::size_t tag_bytes = 4, header_bytes = wire::Ethernet<std::uint8_t>::header_bytes;
constexpr std::uint16_t vlan_bits = 0x0fff;
}  // namespace

constinit const ElementClass EtherVLANEncap::class_row{
    "EtherVLANEncap", "1/1", "a/a", "ETHERTYPE, SRC, DST, VLAN_TCI/ANNO [, VLAN_PCP] [, VLAN_ID, NATIVE_VLAN]", "puts an Ethernet header with a VLAN tag before packets",
    vlan_rows, reason_list<DropReason::no_headroom>, create_element<EtherVLANEncap>};
constinit const ElementClass StripEtherVLANHeader::class_row{
    "StripEtherVLANHeader", "1/1-2", "a/ah", "[NATIVE_VLAN]", "takes the Ethernet header off, with its VLAN tag", handler_rows,
    reason_list<DropReason::no_match>, create_element<StripEtherVLANHeader>};
constinit const ElementClass EnsureEther::class_row{
    "EnsureEther", "1/1", "a/a", "[ETHERTYPE, SRC, DST]", "puts an Ethernet header before packets that have none", handler_rows,
    reason_list<DropReason::no_headroom>, create_element<EnsureEther>};

void EtherVLANEncap::configure(Args& args) {
    args.required("ETHERTYPE", type_);
    args.required("SRC", source_);
    args.required("DST", destination_);
    std::uint32_t id = 0, priority = 0;
    std::string_view tag;
    if (args.keyword("VLAN_ID", id)) tag_ = static_cast<std::uint16_t>(id);
    else if (args.required("VLAN_TCI", tag) && tag == "ANNO") from_annotation_ = true;
    else if (!tag.empty() && !read_word(tag, tag_)) args.error("got VLAN_TCI `", tag, "`, expected a number up to 65535 or `ANNO`");
    if (args.optional("VLAN_PCP", priority)) tag_ = static_cast<std::uint16_t>((tag_ & vlan_bits) | priority << 13);
    args.keyword("NATIVE_VLAN", native_);
    if (id > vlan_bits || priority > 7) args.error("got VLAN_ID ", id, " and VLAN_PCP ", priority, ", expected at most 4095 and 7");
}

bool EtherVLANEncap::encapsulate(Packet& packet) const {
    const std::uint16_t tag = from_annotation_ ? packet.vlan : tag_;
    const bool tagged = native_ < 0 || (tag & vlan_bits) != native_;
    if (!packet.push(static_cast<std::uint16_t>(header_bytes + (tagged ? tag_bytes : 0)))) return false;
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    frame.set_destination(destination_);
    frame.set_source(source_);
    frame.set_type(tagged ? wire::EtherType::vlan : static_cast<wire::EtherType>(type_));
    if (!tagged) return true;
    wire::store16(frame.payload().data(), tag);
    wire::store16(frame.payload().data() + 2, type_);
    return true;
}

void EtherVLANEncap::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return encapsulate(packet); }, DropReason::no_headroom);
}

void StripEtherVLANHeader::configure(Args& args) { args.optional("NATIVE_VLAN", native_); }

bool StripEtherVLANHeader::strip(Packet& packet) const {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (!frame) return false;
    const bool tagged = frame.type() == wire::EtherType::vlan && frame.payload().size() >= tag_bytes;
    if (!tagged && native_ < 0) return false;
    packet.vlan = tagged ? wire::load16(frame.payload().data()) : static_cast<std::uint16_t>(native_);
    return packet.pull(static_cast<std::uint16_t>(header_bytes + (tagged ? tag_bytes : 0)));
}

void StripEtherVLANHeader::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return strip(packet); }, DropReason::no_match);
}

void EnsureEther::configure(Args& args) {
    args.optional("ETHERTYPE", type_);
    args.optional("SRC", source_);
    args.optional("DST", destination_);
}

bool EnsureEther::ensure(Packet& packet) const {
    const std::span<const std::uint8_t> network = packet.network();
    const auto present = wire::view<wire::Ethernet>(packet.bytes());
    if (present && network.data() == present.payload().data() && present.type() == static_cast<wire::EtherType>(type_)) return true;
    if (!packet.push(header_bytes)) return false;
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    frame.set_destination(destination_);
    frame.set_source(source_);
    frame.set_type(static_cast<wire::EtherType>(type_));
    return true;
}

void EnsureEther::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return ensure(packet); }, DropReason::no_headroom);
}

}  // namespace unibpf
