#include "guest/elements/arp/arp_querier.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/arp.hpp"

namespace unibpf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000, query_interval_ns = second_ns / 10, patience_ns = 3 * second_ns;
constexpr std::uint32_t most_entries = 65536, most_waiting = 65536;
constexpr EtherAddress everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

std::uint32_t in_packets(const IpAddress& address) {
    std::uint32_t word;
    std::memcpy(&word, address.data(), sizeof word);
    return word;
}
bool is_group(std::uint32_t ip) { return (ip & 0xf0) == 0xe0; }

// RFC 1112 6.4: the group's low 23 bits.
EtherAddress group_address(std::uint32_t ip) {
    std::uint8_t bytes[4];
    std::memcpy(bytes, &ip, sizeof bytes);
    return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(bytes[1] & 0x7f), bytes[2], bytes[3]};
}

const ARPQuerier& querier(const Element& element) { return static_cast<const ARPQuerier&>(element); }
ARPQuerier& querier(Element& element) { return static_cast<ARPQuerier&>(element); }

constexpr Handler handler_rows[] = {
    count_handler,
    drops_handler,
    read_handler<ARPQuerier, &ARPQuerier::ip>("ipaddr"),
    {"table", [](const Element& e, Text& out) { querier(e).print(out); }, nullptr},
    read_handler<ARPQuerier, &ARPQuerier::queries>("queries"),
    read_handler<ARPQuerier, &ARPQuerier::responses>("responses"),
    read_handler<ARPQuerier, &ARPQuerier::waiting>("length"),
    {"insert", nullptr, [](Element& e, std::string_view text) { return querier(e).insert(text); }},
    {"delete", nullptr, [](Element& e, std::string_view text) { return querier(e).forget(text); }},
};

}  // namespace

constinit const ElementClass ARPQuerier::class_row{
    "ARPQuerier", "2/1-2", "h/h", "IP[/MASK], ETHER [, TIMEOUT, POLL_TIMEOUT, CAPACITY, ENTRY_CAPACITY, BROADCAST, BROADCAST_POLL]",
    "finds out the Ethernet addresses of next hops", handler_rows,
    reason_list<DropReason::unresolved, DropReason::no_headroom, DropReason::no_buffer, DropReason::consumed, DropReason::bad_header>, create_element<ARPQuerier>};

void ARPQuerier::configure(Args& args) {
    IpPrefix prefix;
    std::string_view first, ether;
    if (!args.required("IP", first)) return;
    if (!read_word(first, prefix)) args.error("got IP `", first, "`, expected an IP address such as `10.0.0.1`");
    if (!args.optional("ETHER", ether)) ether = first;
    if (!read_word(ether, ether_)) device_ = ether;
    address_ = prefix.address;
    broadcast_ = in_packets(prefix.address) | ~in_packets(prefix.mask);
    IpAddress broadcast{};
    if (args.keyword("BROADCAST", broadcast)) broadcast_ = in_packets(broadcast);
    args.keyword("TIMEOUT", timeout_);
    args.keyword("POLL_TIMEOUT", poll_timeout_);
    args.keyword("CAPACITY", capacity_);
    args.keyword("ENTRY_CAPACITY", entry_capacity_);
    args.keyword("BROADCAST_POLL", broadcast_poll_);
    if (capacity_ > most_waiting || entry_capacity_ > most_entries) args.error("got CAPACITY ", capacity_, " and ENTRY_CAPACITY ", entry_capacity_, ", expected at most ", most_waiting);
}

void ARPQuerier::initialize(Environment& environment, Errors& errors) {
    pool_ = environment.pool;
    if (!device_.empty())
        if (const Nic* nic = graph_nic(device_, *this, environment, errors)) ether_ = nic->mac();
    if (!table_.prepare(std::max(1u, entry_capacity_), std::max(1u, capacity_)) || !router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for its table");
}

bool ARPQuerier::is_broadcast(std::uint32_t ip) const { return ip == 0xffff'ffff || (ip == broadcast_ && broadcast_ != in_packets(address_)); }

bool ARPQuerier::encapsulate(Packet& packet, const EtherAddress& to) const {
    if (!packet.push(wire::Ethernet<std::uint8_t>::header_bytes)) return false;
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    frame.set_destination(to);
    frame.set_source(ether_);
    frame.set_type(wire::EtherType::ipv4);
    return true;
}

void ARPQuerier::emit(PacketPtr packet, const EtherAddress& to, Outflow& out) {
    if (encapsulate(*packet, to)) out.put(std::move(packet));
    else drop(std::move(packet), DropReason::no_headroom);
}

void ARPQuerier::ask(ArpEntry& entry, Outflow& queries) {
    const std::uint64_t now = router().now();
    if (entry.asked_ns != 0 && now - entry.asked_ns < query_interval_ns) return;
    using Arp = wire::Arp<std::uint8_t>;
    PacketPtr packet = pool_->acquire();
    constexpr std::uint16_t bytes = wire::Ethernet<std::uint8_t>::header_bytes + Arp::header_bytes;
    if (!packet || !packet->put(bytes)) return;
    entry.asked_ns = now;
    std::memset(packet->data(), 0, bytes);
    const auto frame = wire::view<wire::Ethernet>(packet->bytes());
    frame.set_destination(entry.known && !broadcast_poll_ ? entry.ether : everybody);
    frame.set_source(ether_);
    frame.set_type(wire::EtherType::arp);
    const auto arp = wire::view<wire::Arp>(frame.payload());
    arp.set_kinds();
    arp.set_operation(wire::ArpOperation::request);
    arp.set_sender_ether(ether_);
    arp.set_sender_ip(wire::load32(address_.data()));
    std::memcpy(arp.target_ip().data(), &entry.ip, sizeof entry.ip);
    ++queries_;
    queries.put(std::move(packet));
}

void ARPQuerier::send(PacketPtr packet, Outflow& out, Outflow& queries) {
    const std::uint32_t ip = packet->destination_ip;
    const std::uint64_t now = router().now();
    if (ip == 0) return drop(std::move(packet), DropReason::unresolved);
    if (is_broadcast(ip)) return emit(std::move(packet), everybody, out);
    if (is_group(ip)) return emit(std::move(packet), group_address(ip), out);
    std::size_t lost = 0;
    ArpEntry& entry = table_.claim(ip, lost);
    for (; lost > 0; --lost) count_drop(DropReason::unresolved);
    entry.used_ns = now;
    if (entry.known && (timeout_.ns == 0 || now - entry.heard_ns <= timeout_.ns)) {
        if (poll_timeout_.ns != 0 && now - entry.heard_ns > poll_timeout_.ns) ask(entry, queries);
        return emit(std::move(packet), entry.ether, out);
    }
    entry.known = false;
    if (pool_->may_wait() && table_.wait(entry, std::move(packet))) {
        if (!timer_.scheduled()) timer_.schedule_at(now + second_ns);
    } else {
        drop(std::move(packet), DropReason::unresolved);
    }
    ask(entry, queries);
}

void ARPQuerier::learn(std::uint32_t ip, const EtherAddress& ether, Outflow& out) {
    std::size_t lost = 0;
    ArpEntry& entry = table_.claim(ip, lost);
    for (; lost > 0; --lost) count_drop(DropReason::unresolved);
    entry.known = true;
    entry.ether = ether;
    entry.heard_ns = entry.used_ns = router().now();
    while (PacketPtr packet = table_.next(entry)) emit(std::move(packet), ether, out);
}

// RFC 826, "Packet Reception".
void ARPQuerier::hear(Packet& packet, Outflow& out) {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (!frame || frame.type() != wire::EtherType::arp) return count_drop(DropReason::bad_header);
    const auto arp = wire::view<wire::Arp>(frame.payload());
    if (!arp || !arp.is_ipv4_over_ethernet() || arp.operation() != wire::ArpOperation::reply) return count_drop(DropReason::bad_header);
    EtherAddress ether{};
    std::uint32_t ip = 0;
    std::memcpy(ether.data(), arp.sender_ether().data(), ether.size());
    std::memcpy(&ip, arp.sender_ip().data(), sizeof ip);
    count_drop(DropReason::consumed);
    if (ip == 0 || is_broadcast(ip) || is_group(ip) || (ether[0] & 1) != 0) return;
    ++responses_;
    learn(ip, ether, out);
}

void ARPQuerier::push(unsigned port, Batch&& batch) {
    Outflow queries{*this, outputs() > 1 ? 1u : 0u}, out{*this, 0};
    while (!batch.empty()) {
        PacketPtr packet = batch.pop_front();
        if (port == 0) send(std::move(packet), out, queries);
        else hear(*packet, out);
    }
}

// Packets have waited long enough where nobody answered since the last query.
void ARPQuerier::run_timer(Timer&) {
    const std::uint64_t now = router().now();
    std::size_t lost = 0;
    Outflow queries{*this, outputs() > 1 ? 1u : 0u};
    for (ArpEntry& entry : table_.entries()) {
        if (entry.first == ArpEntry::none) continue;
        if (now - entry.used_ns >= patience_ns) table_.release(entry, lost);
        else ask(entry, queries);
    }
    for (; lost > 0; --lost) count_drop(DropReason::unresolved);
    if (table_.waiting() > 0) timer_.schedule_at(now + second_ns);
}

void ARPQuerier::print(Text& out) const {
    for (const ArpEntry& entry : table_.entries()) {
        if (entry.ip == 0 || !entry.known) continue;
        IpAddress ip{};
        std::memcpy(ip.data(), &entry.ip, ip.size());
        handler_values::put(out, ip);
        handler_values::put(out.put(' '), entry.ether);
        out.put('\n');
    }
}

Status ARPQuerier::insert(std::string_view text) {
    IpAddress ip{};
    EtherAddress ether{};
    if (!read_word(next_word(text), ip) || !read_word(next_word(text), ether) || in_packets(ip) == 0) return Error{"handler", "expected an IP address and an Ethernet address"};
    Outflow out{*this, 0};
    learn(in_packets(ip), ether, out);
    return done();
}

Status ARPQuerier::forget(std::string_view text) {
    IpAddress ip{};
    if (!read_word(next_word(text), ip)) return Error{"handler", "expected an IP address"};
    std::size_t lost = 0;
    if (ArpEntry* entry = table_.find(in_packets(ip))) table_.release(*entry, lost);
    for (; lost > 0; --lost) count_drop(DropReason::unresolved);
    return done();
}

void ARPQuerier::take_state(Element& old_element) {
    auto& old = static_cast<ARPQuerier&>(old_element);
    queries_ = old.queries_;
    responses_ = old.responses_;
    std::size_t lost = 0;
    for (ArpEntry& entry : old.table_.entries()) {
        if (entry.ip == 0) continue;
        ArpEntry& mine = table_.claim(entry.ip, lost);
        mine.known = entry.known;
        mine.ether = entry.ether;
        mine.heard_ns = entry.heard_ns;
        mine.used_ns = entry.used_ns;
        while (PacketPtr packet = old.table_.next(entry))
            if (!table_.wait(mine, std::move(packet))) drop(std::move(packet), DropReason::unresolved);
    }
    for (; lost > 0; --lost) count_drop(DropReason::unresolved);
    if (table_.waiting() > 0) timer_.schedule_at(router().now() + second_ns);
}

}  // namespace unibpf
