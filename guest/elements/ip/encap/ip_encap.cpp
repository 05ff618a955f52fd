#include "guest/elements/ip/encap/ip_encap.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf {

namespace {

template <typename E>
constexpr Handler source_handler = setting_handler<E, &IpHeaderMaker::source, &IpHeaderMaker::set_source>("src");
template <typename E>
constexpr Handler destination_handler = setting_handler<E, &IpHeaderMaker::destination, &IpHeaderMaker::set_destination>("dst");
constexpr Handler ip_rows[] = {count_handler, drops_handler, source_handler<IPEncap>, destination_handler<IPEncap>};
constexpr Handler udp_rows[] = {count_handler, drops_handler, source_handler<UDPIPEncap>, destination_handler<UDPIPEncap>,
                                setting_handler<UDPIPEncap, &UDPIPEncap::source_port, &UDPIPEncap::set_source_port>("sport"),
                                setting_handler<UDPIPEncap, &UDPIPEncap::destination_port, &UDPIPEncap::set_destination_port>("dport")};
constexpr Handler gre_rows[] = {count_handler, drops_handler};

struct Protocol {
    std::string_view name;
    std::uint8_t number;
};
constexpr Protocol protocols[] = {{"icmp", 1}, {"igmp", 2}, {"ipip", 4}, {"tcp", 6}, {"udp", 17}, {"gre", 47}, {"esp", 50}, {"icmp6", 58}, {"sctp", 132}};

bool read_protocol(std::string_view word, std::uint8_t& number) {
    for (const Protocol& protocol : protocols)
        if (protocol.name == word) return number = protocol.number, true;
    return read_word(word, number);
}

bool read_destination(Args& args, IpAddress& address) {
    std::string_view word;
    if (!args.required("DST", word) || word == "DST_ANNO") return !word.empty();
    if (!read_word(word, address)) args.error("got DST `", word, "`, expected an IP address or `DST_ANNO`");
    return false;
}

constexpr std::uint16_t gre_checksum = 0x8000, gre_routing = 0x4000, gre_key = 0x2000, gre_sequence = 0x1000, gre_version = 7;

}  // namespace

constinit const ElementClass IPEncap::class_row{
    "IPEncap", "1/1", "a/a", "PROTO, SRC, DST [, TTL, TOS, DSCP, ECN, CE, ECT, DF]", "puts an IPv4 header before packets", ip_rows,
    reason_list<DropReason::no_headroom>, create_element<IPEncap>};
constinit const ElementClass UDPIPEncap::class_row{
    "UDPIPEncap", "1/1", "a/a", "SRC, SPORT, DST, DPORT [, CHECKSUM] [, TTL, TOS, DSCP, ECN, CE, ECT, DF]", "puts UDP and IPv4 headers before packets", udp_rows,
    reason_list<DropReason::no_headroom>, create_element<UDPIPEncap>};
constinit const ElementClass GREEncap::class_row{
    "GREEncap", "1/1", "a/a", "[PROTOCOL] [, KEY, CHECKSUM, SEQUENCE]", "puts a GRE header before packets", gre_rows, reason_list<DropReason::no_headroom>, create_element<GREEncap>};
constinit const ElementClass GREUnencap::class_row{
    "GREUnencap", "1/1-2", "a/ah", "[PROTOCOL] [, KEY]", "takes a GRE header off packets", gre_rows, reason_list<DropReason::no_match>, create_element<GREUnencap>};

void IpHeaderMaker::read_options(Args& args) {
    std::uint32_t dscp = 0, ecn = 0;
    bool ce = false, ect = false;
    args.keyword("TTL", ttl_);
    args.keyword("TOS", tos_);
    if (args.keyword("DSCP", dscp)) tos_ = static_cast<std::uint8_t>(dscp << 2);
    args.keyword("ECN", ecn);
    args.keyword("CE", ce);
    args.keyword("ECT", ect);
    args.keyword("DF", dont_fragment_);
    if (dscp > 63 || ecn > 3) args.error("got DSCP ", dscp, " and ECN ", ecn, ", expected at most 63 and 3");
    tos_ = static_cast<std::uint8_t>(tos_ | (ce ? 3 : ect ? 2
                                                          : ecn & 3));
}

IpHeaderMaker::Ip IpHeaderMaker::write(Packet& packet) {
    std::uint32_t to = wire::load32(destination_.data());
    if (to_annotation_) {
        std::uint8_t bytes[4];
        std::memcpy(bytes, &packet.destination_ip, sizeof bytes);
        to = wire::load32(bytes);
    }
    const auto ip = Ip::write(packet.bytes(), static_cast<wire::IpProtocol>(protocol_), wire::load32(source_.data()), to, ttl_);
    if (!dont_fragment_) ip.set_fragment(0);
    ip.set_id(++id_);
    packet.data()[Ip::tos_at] = tos_;
    ip.set_checksum();
    packet.set_network(0);
    packet.set_transport(Ip::least_header_bytes);
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    return ip;
}

void IPEncap::configure(Args& args) {
    std::string_view protocol;
    if (args.required("PROTO", protocol) && !read_protocol(protocol, protocol_)) args.error("got PROTO `", protocol, "`, expected a number or a name such as `udp`");
    args.required("SRC", source_);
    to_annotation_ = read_destination(args, destination_);
    read_options(args);
}

void IPEncap::process(Batch& batch) {
    auto encapsulate = [this](Packet& packet) {
        if (!packet.push(Ip::least_header_bytes)) return false;
        write(packet);
        return true;
    };
    keep(batch, encapsulate, DropReason::no_headroom);
}

void UDPIPEncap::configure(Args& args) {
    args.required("SRC", source_);
    args.required("SPORT", source_port_);
    to_annotation_ = read_destination(args, destination_);
    args.required("DPORT", destination_port_);
    args.optional("CHECKSUM", checksum_);
    read_options(args);
    protocol_ = static_cast<std::uint8_t>(wire::IpProtocol::udp);
}

void UDPIPEncap::process(Batch& batch) {
    using Udp = wire::Udp<std::uint8_t>;
    auto encapsulate = [this](Packet& packet) {
        if (!packet.push(Ip::least_header_bytes + Udp::header_bytes)) return false;
        const Ip ip = write(packet);
        const auto udp = wire::view<wire::Udp>(ip.rest());
        udp.set_source(source_port_.number);
        udp.set_destination(destination_port_.number);
        udp.set_total_bytes(ip.rest().size());
        if (checksum_) udp.set_checksum(ip.pseudo_sum(ip.rest().size()));
        else wire::store16(&ip.rest()[Udp::checksum_at], 0);
        return true;
    };
    keep(batch, encapsulate, DropReason::no_headroom);
}

void GREEncap::configure(Args& args) {
    args.optional("PROTOCOL", protocol_);
    has_key_ = args.keyword("KEY", key_);
    args.keyword("CHECKSUM", checksum_);
    args.keyword("SEQUENCE", sequence_);
}

bool GREEncap::encapsulate(Packet& packet) {
    const auto bytes = static_cast<std::uint16_t>(4 + 4 * (has_key_ + checksum_ + sequence_));
    if (!packet.push(bytes)) return false;
    std::uint8_t* at = packet.data();
    wire::store16(at, static_cast<std::uint16_t>((checksum_ ? gre_checksum : 0) | (has_key_ ? gre_key : 0) | (sequence_ ? gre_sequence : 0)));
    wire::store16(at + 2, protocol_);
    at += 4;
    std::uint8_t* sum = at;
    if (checksum_) wire::store32(at, 0), at += 4;
    if (has_key_) wire::store32(at, key_), at += 4;
    if (sequence_) wire::store32(at, next_++);
    if (checksum_) wire::store16(sum, wire::checksum(packet.bytes()));
    return true;
}

void GREEncap::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return encapsulate(packet); }, DropReason::no_headroom);
}

void GREUnencap::configure(Args& args) {
    args.optional("PROTOCOL", protocol_);
    has_key_ = args.keyword("KEY", key_);
}

// RFC 2784 2 and RFC 2890 2.
bool GREUnencap::unencapsulate(Packet& packet) const {
    const std::span<const std::uint8_t> bytes = packet.bytes();
    if (bytes.size() < 4) return false;
    const std::uint16_t flags = wire::load16(bytes.data());
    if ((flags & (gre_routing | gre_version)) != 0 || wire::load16(&bytes[2]) != protocol_) return false;
    const std::size_t key_at = 4 + (flags & gre_checksum ? 4 : 0), sequence_at = key_at + (flags & gre_key ? 4 : 0);
    const std::size_t header = sequence_at + (flags & gre_sequence ? 4 : 0);
    if (bytes.size() < header || ((flags & gre_checksum) != 0 && wire::checksum(bytes) != 0)) return false;
    if (has_key_ && ((flags & gre_key) == 0 || wire::load32(&bytes[key_at]) != key_)) return false;
    return packet.pull(static_cast<std::uint16_t>(header));
}

void GREUnencap::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return unencapsulate(packet); }, DropReason::no_match);
}

}  // namespace unibpf
