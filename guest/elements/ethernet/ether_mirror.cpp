#include "guest/elements/ethernet/ether_mirror.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {

constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};

bool mirror(Packet& packet) {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (frame) frame.swap_addresses();
    return static_cast<bool>(frame);
}

}  // namespace

constinit const ElementClass EtherMirror::kClass{
    "EtherMirror", "1/1", "a/a", "", "swaps Ethernet source and destination", kHandlers,
    kReasons<DropReason::too_short>, create_element<EtherMirror>};

void EtherMirror::process(Batch& batch) { keep(batch, mirror, DropReason::too_short); }

}  // namespace unibpf
