#include "guest/elements/ethernet/ether_mirror.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};

bool mirror(Packet& packet) {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (frame) frame.swap_addresses();
    return static_cast<bool>(frame);
}

}  // namespace

constinit const ElementClass EtherMirror::class_row{
    "EtherMirror", "1/1", "a/a", "", "swaps Ethernet source and destination", handler_rows,
    reason_list<DropReason::too_short>, create_element<EtherMirror>};

void EtherMirror::process(Batch& batch) { keep(batch, mirror, DropReason::too_short); }

}  // namespace unibpf
