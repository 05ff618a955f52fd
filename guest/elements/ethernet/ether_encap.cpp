#include "guest/elements/ethernet/ether_encap.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/wire.hpp"

namespace unibpf {

namespace {

constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};

void write_addresses(Packet& packet, const EtherAddress& source, const EtherAddress& destination) {
    std::memcpy(packet.data() + wire::ether::kDestination, destination.data(), destination.size());
    std::memcpy(packet.data() + wire::ether::kSource, source.data(), source.size());
}

}  // namespace

constinit const ElementClass EtherEncap::kClass{
    "EtherEncap", "1/1", "a/a", "ETHERTYPE, SRC, DST", "puts an Ethernet header before packets", kHandlers, create_element<EtherEncap>};
constinit const ElementClass EtherRewrite::kClass{
    "EtherRewrite", "1/1", "a/a", "SRC, DST", "replaces Ethernet addresses", kHandlers, create_element<EtherRewrite>};

void EtherEncap::configure(Args& args) {
    args.required("ETHERTYPE", type_);
    args.required("SRC", source_);
    args.required("DST", destination_);
    if (type_ > 0xffff) args.error("got ETHERTYPE ", type_, ", expected at most 65535");
}

void EtherEncap::process(Batch& batch) {
    auto encapsulate = [this](Packet& packet) {
        if (!packet.push(wire::ether::kSize)) return false;
        write_addresses(packet, source_, destination_);
        wire::store16(packet.data() + wire::ether::kType, static_cast<std::uint16_t>(type_));
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
        if (packet.length() < wire::ether::kSize) return false;
        write_addresses(packet, source_, destination_);
        return true;
    };
    keep(batch, rewrite, DropReason::too_short);
}

}  // namespace unibpf
