#include "guest/elements/ip/ip_reassembler.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler, read_handler<IPReassembler, &IPReassembler::waiting>("length")};
}  // namespace

constinit const ElementClass IPReassembler::class_row{
    "IPReassembler", "1/1", "a/a", "[TIMEOUT]", "puts fragments together again", handler_rows,
    reason_list<DropReason::incomplete, DropReason::too_long, DropReason::bad_header, DropReason::no_buffer, DropReason::consumed>, create_element<IPReassembler>};

void IPReassembler::configure(Args& args) {
    std::uint32_t memory = 0;
    args.keyword("TIMEOUT", timeout_);
    args.optional("HIMEM", memory);  // Click's; the memory is fixed here
}

void IPReassembler::initialize(Environment& environment, Errors& errors) {
    pool_ = environment.pool;
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
}

std::uint32_t IPReassembler::waiting() const {
    return static_cast<std::uint32_t>(std::count_if(partials_.begin(), partials_.end(), [](const Partial& partial) { return static_cast<bool>(partial.packet); }));
}

IPReassembler::Partial* IPReassembler::find(const Ip& ip) {
    for (Partial& partial : partials_)
        if (partial.packet && partial.id == ip.id() && partial.source == ip.source() && partial.destination == ip.destination() && partial.protocol == static_cast<std::uint8_t>(ip.protocol()))
            return &partial;
    return nullptr;
}

// In a free place, or in that of the packet that waits for longest.
IPReassembler::Partial* IPReassembler::begin(const Ip& ip) {
    Partial* place = &partials_[0];
    for (Partial& partial : partials_)
        if (place->packet && (!partial.packet || partial.begun_ns < place->begun_ns)) place = &partial;
    if (place->packet) end(*place, DropReason::incomplete);
    *place = {};
    place->packet = pool_->may_wait() ? pool_->acquire() : PacketPtr{};
    if (!place->packet || !place->packet->put(longest)) return place->packet.reset(), nullptr;
    place->source = ip.source();
    place->destination = ip.destination();
    place->id = ip.id();
    place->protocol = static_cast<std::uint8_t>(ip.protocol());
    place->begun_ns = router().now();
    if (!timer_.scheduled()) timer_.schedule_at(router().now() + timeout_.ns);
    return place;
}

void IPReassembler::end(Partial& partial, DropReason reason) {
    for (; partial.fragments > 0; --partial.fragments) count_drop(reason);
    partial.packet.reset();
}

// False: the fragment does not fit to the others.
bool IPReassembler::add(Partial& partial, const Ip& ip, std::size_t at) {
    const std::span<const std::uint8_t> payload = ip.payload();
    const bool last = (ip.fragment() & Ip::more_fragments) == 0;
    const std::size_t ends = at + payload.size();
    if ((last ? partial.total != 0 : payload.size() % unit != 0) || payload.empty() || (partial.total != 0 && ends > partial.total)) return false;
    for (std::size_t u = at / unit; u * unit < ends; ++u)
        if (std::exchange(partial.there[u], true)) return false;
    if (last) partial.total = ends;
    std::memcpy(partial.packet->data() + at, payload.data(), payload.size());
    if (at > 0) return true;
    partial.header = ip.header_bytes();
    std::memcpy(partial.packet->data() - partial.header, ip.header().data(), partial.header);
    return true;
}

// Null: fragments are missing.
PacketPtr IPReassembler::whole(Partial& partial) {
    if (partial.header == 0 || partial.total == 0) return {};
    for (std::size_t u = 0; u * unit < partial.total; ++u)
        if (!partial.there[u]) return {};
    for (std::size_t u = (partial.total + unit - 1) / unit; u < partial.there.size(); ++u)
        if (partial.there[u]) return {};
    PacketPtr packet = std::move(partial.packet);
    packet->push(static_cast<std::uint16_t>(partial.header));  // it lies in the headroom already
    packet->trim(static_cast<std::uint16_t>(longest - partial.total));
    packet->set_network(0);
    packet->set_transport(static_cast<std::uint16_t>(partial.header));
    const auto ip = wire::view<wire::Ipv4>(packet->network());
    ip.set_total_bytes(packet->length());
    ip.set_fragment(0);
    ip.set_checksum();
    for (; partial.fragments > 1; --partial.fragments) count_drop(DropReason::consumed);
    return packet;
}

// The whole packet, when this was the fragment that it waited for.
PacketPtr IPReassembler::take(PacketPtr packet, const Ip& ip) {
    const std::size_t at = ip.fragment_offset();
    if (at + ip.payload().size() > longest) return drop(std::move(packet), DropReason::too_long), PacketPtr{};
    Partial* partial = find(ip);
    if (!partial) partial = begin(ip);
    if (!partial) return drop(std::move(packet), DropReason::no_buffer), PacketPtr{};
    ++partial->fragments;
    if (!add(*partial, ip, at)) return end(*partial, DropReason::bad_header), PacketPtr{};
    PacketPtr made = whole(*partial);
    if (made) {
        const std::uint16_t network = made->network_offset, transport = made->transport_offset;
        made->copy_annotations(*packet);
        made->network_offset = network;
        made->transport_offset = transport;
    }
    return made;
}

void IPReassembler::process(Batch& batch) {
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        const auto ip = wire::view<wire::Ipv4>(packet->network());
        if (!ip || ip.length_fault() != wire::IpFault::none) {
            drop(std::move(packet), DropReason::bad_header);
            continue;
        }
        if (ip.is_fragment()) packet = take(std::move(packet), ip);
        if (packet) batch.push_back(std::move(packet));
    }
}

void IPReassembler::run_timer(Timer&) {
    std::uint64_t next = 0;
    for (Partial& partial : partials_) {
        if (!partial.packet) continue;
        if (router().now() - partial.begun_ns >= timeout_.ns) end(partial, DropReason::incomplete);
        else if (next == 0 || partial.begun_ns < next) next = partial.begun_ns;
    }
    if (next != 0) timer_.schedule_at(next + timeout_.ns);
}

}  // namespace unibpf
