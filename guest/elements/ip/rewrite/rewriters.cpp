#include "guest/elements/ip/rewrite/rewriters.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/icmp.hpp"
#include "guest/wire/tcp.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf {

namespace {

constexpr std::uint32_t most_flows = 1u << 20;
constexpr std::uint16_t dropped = 0xffff;
constexpr std::uint8_t any_protocol = 0;
enum SeenBits : std::uint8_t {
    data = 1,  // shifted by the side
    ended = 4,
    reset = 16
};

template <typename E>
constexpr Handler rows[] = {
    count_handler,
    drops_handler,
    read_handler<E, &FlowRewriter::size>("size"),
    read_handler<E, &FlowRewriter::capacity>("capacity"),
    read_handler<E, &FlowRewriter::failures>("mapping_failures"),
    {"table", [](const Element& e, Text& out) { static_cast<const E&>(e).print(out); }, nullptr},
};
constexpr std::span<const DropReason> reasons = reason_list<DropReason::no_mapping, DropReason::table_full, DropReason::bad_header, DropReason::policed>;
constexpr std::string_view arguments = "INPUTSPEC, ... [, MAPPING_CAPACITY, TCP_TIMEOUT, TCP_DONE_TIMEOUT, TCP_NODATA_TIMEOUT, UDP_TIMEOUT, GUARANTEE, DST_ANNO]";

void change_checksum(std::uint8_t* at, std::uint16_t change) {
    const std::uint32_t sum = static_cast<std::uint16_t>(~wire::load16(at));
    wire::store16(at, static_cast<std::uint16_t>(~wire::fold(sum + change)));
}

}  // namespace

constinit const ElementClass IPRewriter::class_row{"IPRewriter", "1-/1-", "h/h", arguments, "rewrites addresses and ports of TCP and UDP flows", rows<IPRewriter>, reasons, create_element<IPRewriter>};
constinit const ElementClass TCPRewriter::class_row{"TCPRewriter", "1-/1-", "h/h", arguments, "rewrites addresses and ports of TCP flows", rows<TCPRewriter>, reasons, create_element<TCPRewriter>};
constinit const ElementClass UDPRewriter::class_row{"UDPRewriter", "1-/1-", "h/h", arguments, "rewrites addresses and ports of UDP and TCP flows", rows<UDPRewriter>, reasons, create_element<UDPRewriter>};
constinit const ElementClass IPAddrPairRewriter::class_row{"IPAddrPairRewriter", "1-/1-", "h/h", arguments, "rewrites addresses by pairs of them", rows<IPAddrPairRewriter>, reasons, create_element<IPAddrPairRewriter>};
constinit const ElementClass IPAddrRewriter::class_row{"IPAddrRewriter", "1-/1-", "h/h", arguments, "rewrites source addresses", rows<IPAddrRewriter>, reasons, create_element<IPAddrRewriter>};
constinit const ElementClass ICMPPingRewriter::class_row{"ICMPPingRewriter", "1-/1-", "h/h", arguments, "rewrites addresses and identifiers of pings", rows<ICMPPingRewriter>, reasons, create_element<ICMPPingRewriter>};
constinit const ElementClass IPRewriterPatterns::class_row{"IPRewriterPatterns", "0/0", "a/a", "NAME SADDR SPORT DADDR DPORT, ...", "gives names to patterns of rewriters", {}, {}, create_element<IPRewriterPatterns>, false, true};

// What a packet says of its flow.
struct FlowRewriter::Seen {
    FlowKey key;
    std::uint8_t protocol = any_protocol;
    Ip* ip = nullptr;
    std::span<std::uint8_t> transport;      // empty in later fragments
    std::uint8_t* checksum = nullptr;       // of the transport header; null: none
    bool optional_checksum = false;         // UDP: zero means none
    bool covers_addresses = true;           // not that of ICMP
    std::uint8_t* source_port = nullptr;    // null: not looked at
    std::uint8_t* destination_port = nullptr;
    std::uint8_t tcp_flags = 0;
    bool has_data = false;
};

void IPRewriterPatterns::configure(Args& args) {
    rows_ = make_array<Row>(args.left());
    if (!rows_) return args.error("no memory for ", args.left(), " patterns");
    for (std::size_t i = 0; const Arg* arg = args.next(); ++i) {
        std::string_view rest = arg->text;
        const std::string_view name = next_word(rest);
        RewritePattern pattern;
        if (!read_pattern(rest, {}, pattern)) args.errors().add(arg->place, "`", this->name(), "`: got `", arg->text, "`, expected `NAME SADDR SPORT DADDR DPORT`");
        rows_[i] = {name, rest};
    }
}

std::string_view IPRewriterPatterns::find(std::string_view name) const {
    for (const Row& row : rows_.span())
        if (row.name == name) return row.pattern;
    return {};
}

bool FlowRewriter::read_outputs(std::string_view text, RewriteInput& input, unsigned count) const {
    for (unsigned i = 0; i < count; ++i)
        if (!read_word(next_word(text), input.outputs[i]) || input.outputs[i] >= outputs()) return false;
    return next_word(text).empty();
}

void FlowRewriter::read_input(const Arg& arg, Args& args, RewriteInput& input) {
    std::string_view rest = arg.text;
    const std::string_view word = next_word(rest);
    auto wrong = [&](std::string_view expected) { args.errors().add(arg.place, "`", name(), "`: got `", arg.text, "`, expected ", expected); };
    if (word == "drop" || word == "discard") return input.kind = RewriteInput::Kind::drop, void();
    if (word == "pass" || word == "passthrough" || word == "nochange") {
        input.kind = RewriteInput::Kind::pass;
        if (!rest.empty() && !read_outputs(rest, input, 1)) wrong("`pass OUTPUT`");
        return;
    }
    if (word == "keep") {
        input.kind = RewriteInput::Kind::keep;
        if (!read_outputs(rest, input, 2)) wrong("`keep FOUTPUT ROUTPUT`");
        return;
    }
    if (word != "pattern") return wrong("`pattern`, `keep`, `pass` or `drop`");
    input.kind = RewriteInput::Kind::pattern;
    std::string_view words[7];
    std::size_t count = 0;
    for (std::string_view next = next_word(rest); !next.empty() && count < 7; next = next_word(rest)) words[count++] = next;
    const PatternForm form{kind_ != Kind::pair && kind_ != Kind::address, kind_ != Kind::address};
    std::string_view fields;
    if (count == 3 && kind_ != Kind::address) {
        for (const Element* element : router().elements())
            if (fields.empty() && &element->element_class() == &IPRewriterPatterns::class_row) fields = static_cast<const IPRewriterPatterns*>(element)->find(words[0]);
    } else if (count > 2) {
        fields = {words[0].data(), static_cast<std::size_t>(words[count - 3].data() + words[count - 3].size() - words[0].data())};
    }
    const std::string_view numbers = count < 2 ? std::string_view{} : std::string_view{words[count - 2].data(), static_cast<std::size_t>(words[count - 1].data() + words[count - 1].size() - words[count - 2].data())};
    if (fields.empty() || !read_pattern(fields, form, input.pattern)) return wrong("a pattern such as `pattern 1.0.0.1 1024-65535 - - 0 1`");
    if (!read_outputs(numbers, input, 2)) wrong("outputs that there are at the end");
}

void FlowRewriter::configure(Args& args) {
    args.keyword("MAPPING_CAPACITY", capacity_);
    args.keyword("CAPACITY", capacity_);
    args.keyword("TCP_TIMEOUT", tcp_timeout_);
    args.keyword("TCP_DONE_TIMEOUT", tcp_done_timeout_);
    args.keyword("TCP_NODATA_TIMEOUT", tcp_nodata_timeout_);
    args.keyword("UDP_TIMEOUT", udp_timeout_);
    args.keyword("TIMEOUT", udp_timeout_);
    args.keyword("GUARANTEE", guarantee_);
    args.keyword("DST_ANNO", annotate_);
    if (capacity_ == 0 || capacity_ > most_flows) args.error("got MAPPING_CAPACITY ", capacity_, ", expected 1 to ", most_flows);
    inputs_ = make_array<RewriteInput>(inputs());
    if (!inputs_) return args.error("no memory for ", inputs(), " inputs");
    if (args.left() != inputs()) args.error("got ", inputs(), " connected inputs, expected one for each of ", args.left(), " specifications");
    for (std::size_t i = 0; i < inputs_.size(); ++i)
        if (const Arg* arg = args.next()) read_input(*arg, args, inputs_[i]);
}

void FlowRewriter::initialize(Environment&, Errors& errors) {
    if (!table_.prepare(capacity_)) errors.add(place(), "`", name(), "`: no memory for ", capacity_, " flows");
}

FlowTable::Found FlowRewriter::find(const FlowKey& key, std::uint8_t protocol) const {
    FlowKey looked_at = key;
    if (kind_ == Kind::pair || kind_ == Kind::address) looked_at.source_port = looked_at.destination_port = 0, protocol = any_protocol;
    if (kind_ == Kind::address) looked_at.source = 0;
    return table_.find(looked_at, protocol, router().now());
}

// False: the packet belongs to no flow of this kind.
bool FlowRewriter::read(Packet& packet, Seen& seen) const {
    const Ip& ip = *seen.ip;
    using wire::IpProtocol;
    seen.key = {ip.source(), ip.destination(), 0, 0};
    if (ip.fragment_offset() == 0) seen.transport = ip.rest();
    const IpProtocol protocol = ip.protocol();
    const std::span<std::uint8_t> at = seen.transport;
    const bool tcp = protocol == IpProtocol::tcp && at.size() >= wire::Tcp<std::uint8_t>::least_header_bytes;
    const bool udp = protocol == IpProtocol::udp && at.size() >= wire::Udp<std::uint8_t>::header_bytes;
    const bool ping = protocol == IpProtocol::icmp && at.size() >= wire::Icmp<std::uint8_t>::header_bytes && at[1] == 0 &&
                      (at[0] == static_cast<std::uint8_t>(wire::IcmpType::echo_request) || at[0] == static_cast<std::uint8_t>(wire::IcmpType::echo_reply));
    if (tcp) seen.checksum = &at[wire::Tcp<std::uint8_t>::checksum_at];
    if (udp) seen.checksum = &at[wire::Udp<std::uint8_t>::checksum_at], seen.optional_checksum = true;
    (void)packet;
    if (kind_ == Kind::pair) return true;
    if (kind_ == Kind::address) return seen.key.destination = 0, true;
    seen.protocol = static_cast<std::uint8_t>(protocol);
    if (kind_ == Kind::ping) {
        if (!ping) return false;
        const bool request = at[0] == static_cast<std::uint8_t>(wire::IcmpType::echo_request);
        (request ? seen.source_port : seen.destination_port) = &at[4];
        (request ? seen.key.source_port : seen.key.destination_port) = wire::load16(&at[4]);
        seen.checksum = &at[wire::Icmp<std::uint8_t>::checksum_at];
        seen.covers_addresses = false;
        return true;
    }
    if (!tcp && (!udp || kind_ == Kind::tcp)) return false;
    seen.source_port = &at[0];
    seen.destination_port = &at[2];
    seen.key.source_port = wire::load16(&at[0]);
    seen.key.destination_port = wire::load16(&at[2]);
    if (!tcp) return true;
    seen.tcp_flags = at[wire::Tcp<std::uint8_t>::flags_at];
    seen.has_data = at.size() > static_cast<std::size_t>(at[wire::Tcp<std::uint8_t>::offset_at] >> 4) * 4;
    return true;
}

void FlowRewriter::apply(const Seen& seen, const FlowSide& side) const {
    const Ip& ip = *seen.ip;
    if (side.key.source != side.after.source) ip.set_source(side.after.source);
    if (side.key.destination != side.after.destination) ip.set_destination(side.after.destination);
    change_checksum(ip.bytes().data() + Ip::checksum_at, side.ip_change);
    if (seen.source_port) wire::store16(seen.source_port, side.after.source_port);
    if (seen.destination_port) wire::store16(seen.destination_port, side.after.destination_port);
    if (!seen.checksum || (seen.optional_checksum && wire::load16(seen.checksum) == 0)) return;
    std::uint16_t change = side.transport_change;
    if (!seen.covers_addresses) change = wire::fold(std::uint32_t{change} + static_cast<std::uint16_t>(~side.ip_change));
    change_checksum(seen.checksum, change);
    if (seen.optional_checksum && wire::load16(seen.checksum) == 0) wire::store16(seen.checksum, 0xffff);
}

// The first variation of the pattern whose answers would not be those of another flow.
bool FlowRewriter::choose(const Seen& seen, RewritePattern& pattern, FlowKey& after) {
    constexpr std::uint64_t most_tries = 65536;
    const std::uint64_t count = pattern.variations();
    std::uint64_t first = 0;
    const std::uint16_t own = seen.key.source_port;
    if (pattern.sequential) first = pattern.next;
    else if (!pattern.random && own >= pattern.source_port && own <= pattern.last_source_port) first = own - pattern.source_port;
    else if (count > 1) first = random::next_u32();
    for (std::uint64_t tried = 0; tried < std::min(count, most_tries); ++tried) {
        const std::uint64_t n = (first + tried) % count;
        after = pattern.apply(seen.key, n);
        if (kind_ == Kind::address) after.destination = 0;
        if (table_.find(after.reversed(), seen.protocol, router().now())) continue;
        pattern.next = static_cast<std::uint32_t>((n + 1) % count);
        return true;
    }
    return false;
}

Flow* FlowRewriter::make_flow(const Seen& seen, RewriteInput& input, DropReason& reason) {
    FlowKey after = seen.key;
    const bool found = input.kind == RewriteInput::Kind::keep ? !table_.find(after.reversed(), seen.protocol, router().now()) : choose(seen, input.pattern, after);
    Flow* flow = found ? table_.add(seen.key, after, seen.protocol, router().now(), guarantee_.ns) : nullptr;
    if (!flow) return ++failures_, reason = DropReason::table_full, nullptr;
    flow->outputs[0] = input.outputs[0];
    flow->outputs[1] = input.outputs[1];
    return flow;
}

std::uint64_t FlowRewriter::timeout_of(const Flow& flow) const {
    if (flow.protocol != static_cast<std::uint8_t>(wire::IpProtocol::tcp)) return udp_timeout_.ns;
    const bool over = (flow.seen & reset) != 0 || (flow.seen >> 2 & 3) == 3;
    return over ? tcp_done_timeout_.ns : (flow.seen & 3) == 3 ? tcp_timeout_.ns
                                                              : tcp_nodata_timeout_.ns;
}

void FlowRewriter::note(Flow& flow, unsigned side, const Seen& seen) const {
    flow.last_ns = router().now();
    if (seen.has_data) flow.seen |= static_cast<std::uint8_t>(SeenBits::data << side);
    if ((seen.tcp_flags & wire::TcpFlags::fin) != 0) flow.seen |= static_cast<std::uint8_t>(SeenBits::ended << side);
    if ((seen.tcp_flags & wire::TcpFlags::rst) != 0) flow.seen |= SeenBits::reset;
    flow.timeout_ns = timeout_of(flow);
}

std::uint16_t FlowRewriter::rewrite(Packet& packet, unsigned port, DropReason& reason) {
    Ip ip = wire::view<wire::Ipv4>(packet.network());
    if (!ip) return reason = DropReason::bad_header, dropped;
    Seen seen;
    seen.ip = &ip;
    RewriteInput& input = inputs_[port];
    const bool has_flow = read(packet, seen);
    FlowTable::Found found = has_flow ? table_.find(seen.key, seen.protocol, router().now()) : FlowTable::Found{};
    if (!found && has_flow && kind_ == Kind::address) found = find({0, ip.destination(), 0, 0}, any_protocol);
    if (!found) {
        if (input.kind == RewriteInput::Kind::pass) return input.outputs[0];
        if (input.kind == RewriteInput::Kind::drop) return reason = DropReason::policed, dropped;
        if (!has_flow) return reason = DropReason::no_mapping, dropped;
        found.flow = make_flow(seen, input, reason);
        if (!found) return dropped;
    }
    note(*found.flow, found.side, seen);
    apply(seen, found.flow->sides[found.side]);
    if (annotate_) std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return found.flow->outputs[found.side];
}

void FlowRewriter::push(unsigned port, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t kept = 0;
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        DropReason reason{};
        const std::uint16_t to = rewrite(*packet, port, reason);
        if (to == dropped) {
            drop(std::move(packet), reason);
            continue;
        }
        ports[kept++] = to;
        batch.push_back(std::move(packet));
    }
    if (!batch.empty()) distribute(std::move(batch), ports, DropReason::no_mapping);
}

static void put_key(Text& out, const FlowKey& key) {
    const std::pair<std::uint32_t, std::uint16_t> ends[] = {{key.source, key.source_port}, {key.destination, key.destination_port}};
    for (const auto& [ip, port] : ends) {
        IpAddress address{};
        wire::store32(address.data(), ip);
        if (&ip != &ends[0].first) out.put(" > ");
        handler_values::put(out, address);
        out.put(':').number(port);
    }
}

void FlowRewriter::print(Text& out) const {
    for (const Flow& flow : table_.flows()) {
        if (!flow.used || router().now() - flow.last_ns > flow.timeout_ns) continue;
        put_key(out, flow.sides[0].key);
        put_key(out.put(" => "), flow.sides[0].after);
        out.put(" proto ").number(flow.protocol).put('\n');
    }
}

void FlowRewriter::take_state(Element& old_element) {
    auto& old = static_cast<FlowRewriter&>(old_element);
    failures_ = old.failures_;
    if (old.configuration() != configuration() || old.outputs() != outputs()) return;
    std::swap(table_, old.table_);
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].pattern.next = old.inputs_[i].pattern.next;
}

}  // namespace unibpf
