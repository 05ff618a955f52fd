#include "guest/elements/ethernet/ether_mirror.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/wire.hpp"

namespace unibpf {

namespace {

constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};

bool mirror(Packet& packet) {
    if (packet.length() < wire::ether::kSize) return false;
    wire::swap_bytes(packet.data() + wire::ether::kDestination, packet.data() + wire::ether::kSource, wire::ether::kAddressSize);
    return true;
}

}  // namespace

constinit const ElementClass EtherMirror::kClass{
    "EtherMirror", "1/1", "a/a", "", "swaps Ethernet source and destination", kHandlers, create_element<EtherMirror>};

void EtherMirror::process(Batch& batch) { keep(batch, mirror, DropReason::too_short); }

}  // namespace unibpf
