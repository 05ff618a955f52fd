#include "guest/elements/ip/rewrite/icmp_rewriter.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/tcp.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};
const ElementClass* const rewriter_rows[] = {&IPRewriter::class_row, &TCPRewriter::class_row, &UDPRewriter::class_row, &IPAddrPairRewriter::class_row, &IPAddrRewriter::class_row, &ICMPPingRewriter::class_row};

bool is_error(std::uint8_t type) { return type == 3 || type == 4 || type == 5 || type == 11 || type == 12; }

}  // namespace

constinit const ElementClass ICMPRewriter::class_row{
    "ICMPRewriter", "1/1-2", "a/ah", "MAPS [, DST_ANNO]", "rewrites ICMP errors about rewritten flows", handler_rows, reason_list<DropReason::no_mapping>, create_element<ICMPRewriter>};

void ICMPRewriter::configure(Args& args) {
    args.required("MAPS", names_);
    args.optional("DST_ANNO", annotate_);
}

void ICMPRewriter::initialize(Environment&, Errors& errors) {
    std::string_view names = names_.text;
    for (std::string_view word = next_word(names); !word.empty(); word = next_word(names)) {
        const Element* found = router().find(word, *this);
        bool rewriter = false;
        for (const ElementClass* row : rewriter_rows) rewriter = rewriter || (found && &found->element_class() == row);
        if (!rewriter) errors.add(place(), "`", name(), "`: `", word, "` is no rewriter");
        else if (count_ == most_maps) errors.add(place(), "`", name(), "`: more than ", most_maps, " MAPS");
        else maps_[count_++] = static_cast<const FlowRewriter*>(found);
    }
}

FlowTable::Found ICMPRewriter::find(const FlowKey& key, std::uint8_t protocol) const {
    for (std::size_t i = 0; i < count_; ++i)
        if (const FlowTable::Found found = maps_[i]->find(key, protocol)) return found;
    return {};
}

// The quoted packet went the other way: its answer is the flow that is looked for.
bool ICMPRewriter::rewrite(Packet& packet) const {
    using Ip = wire::Ipv4<std::uint8_t>;
    const auto ip = wire::view<wire::Ipv4>(packet.network());
    if (!ip || ip.protocol() != wire::IpProtocol::icmp || ip.is_fragment() || ip.length_fault() != wire::IpFault::none) return false;
    const auto icmp = wire::view<wire::Icmp>(ip.payload());
    if (!icmp || !is_error(static_cast<std::uint8_t>(icmp.type())) || !icmp.checksum_holds()) return false;
    const auto quoted = wire::view<wire::Ipv4>(icmp.payload());
    if (!quoted || quoted.fragment_offset() != 0) return false;
    const std::span<std::uint8_t> transport = quoted.rest();
    const auto protocol = static_cast<std::uint8_t>(quoted.protocol());
    FlowKey key{quoted.source(), quoted.destination(), 0, 0};
    std::uint8_t *source_port = nullptr, *destination_port = nullptr;
    if ((protocol == 6 || protocol == 17) && transport.size() >= 4) {
        source_port = &transport[0], destination_port = &transport[2];
    } else if (protocol == 1 && transport.size() >= 8) {
        (transport[0] == 8 ? source_port : destination_port) = &transport[4];
    }
    if (source_port) key.source_port = wire::load16(source_port);
    if (destination_port) key.destination_port = wire::load16(destination_port);
    const FlowTable::Found found = find(key.reversed(), protocol);
    if (!found) return false;
    const FlowSide& side = found.flow->sides[found.side];
    const FlowKey before = side.after.reversed();  // as the quoted packet was
    if (before.source != 0) quoted.set_source(before.source);
    if (before.destination != 0) quoted.set_destination(before.destination);
    quoted.set_checksum();
    if (source_port && before.source_port != 0) wire::store16(source_port, before.source_port);
    if (destination_port && before.destination_port != 0) wire::store16(destination_port, before.destination_port);
    if (protocol == 17 && transport.size() >= wire::Udp<std::uint8_t>::header_bytes) {
        std::uint8_t* sum = &transport[wire::Udp<std::uint8_t>::checksum_at];
        const std::uint16_t back = static_cast<std::uint16_t>(side.transport_change);
        if (wire::load16(sum) != 0) wire::store16(sum, static_cast<std::uint16_t>(~wire::fold(static_cast<std::uint16_t>(~wire::load16(sum)) + std::uint32_t{back})));
    }
    icmp.set_checksum();
    ip.set_destination(quoted.source());
    if (ip.source() == key.destination && before.destination != 0) ip.set_source(before.destination);
    ip.set_checksum();
    static_assert(Ip::least_header_bytes == 20);
    if (annotate_) std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return true;
}

void ICMPRewriter::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return rewrite(packet); }, DropReason::no_mapping);
}

}  // namespace unibpf
