#include "guest/elements/ethernet/ether_encap.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};

}  // namespace

constinit const ElementClass EtherEncap::class_row{
    "EtherEncap", "1/1", "a/a", "ETHERTYPE, SRC, DST", "puts an Ethernet header before packets", handler_rows,
    reason_list<DropReason::no_headroom>, create_element<EtherEncap>};
constinit const ElementClass EtherRewrite::class_row{
    "EtherRewrite", "1/1", "a/a", "SRC, DST", "replaces Ethernet addresses", handler_rows,
    reason_list<DropReason::too_short>, create_element<EtherRewrite>};

void EtherEncap::configure(Args& args) {
    args.required("ETHERTYPE", type_);
    args.required("SRC", source_);
    args.required("DST", destination_);
    if (type_ > 0xffff) args.error("got ETHERTYPE ", type_, ", expected at most 65535");
}

void EtherEncap::process(Batch& batch) {
    auto encapsulate = [this](Packet& packet) {
        if (!packet.push(wire::Ethernet<std::uint8_t>::header_bytes)) return false;
        const auto frame = wire::view<wire::Ethernet>(packet.bytes());
        frame.set_destination(destination_);
        frame.set_source(source_);
        frame.set_type(static_cast<wire::EtherType>(type_));
        return true;
    };
    keep(batch, encapsulate, DropReason::no_headroom);
}

void EtherRewrite::configure(Args& args) {
    args.required("SRC", source_);
    args.required("DST", destination_);
}

void EtherRewrite::process(Batch& batch) {
    auto rewrite = [this](Packet& packet) {
        const auto frame = wire::view<wire::Ethernet>(packet.bytes());
        if (!frame) return false;
        frame.set_destination(destination_);
        frame.set_source(source_);
        return true;
    };
    keep(batch, rewrite, DropReason::too_short);
}

}  // namespace unibpf
