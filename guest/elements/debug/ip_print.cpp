#include "guest/elements/debug/ip_print.hpp"

#include <algorithm>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

using Header = std::span<const std::uint8_t>;

Status write_active(Element& element, std::string_view value) {
    bool active = false;
    if (!read_word(value, active)) return Error{"handler", "expected `true` or `false`"};
    static_cast<IPPrint&>(element).set_active(active);
    return done();
}

constexpr Handler handler_rows[] = {
    count_handler,
    {"active", [](const Element& e, Text& out) { out.put(static_cast<const IPPrint&>(e).active() ? "true" : "false"); }, write_active},
};

std::uint32_t get16(Header bytes, std::size_t at) { return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]); }
std::uint32_t get32(Header bytes, std::size_t at) { return get16(bytes, at) << 16 | get16(bytes, at + 2); }

void put_addresses(Text& line, Header ip, Header ports = {}) {
    put_ip(line, ip.subspan(12));
    if (!ports.empty()) line.put('.').number(get16(ports, 0));
    line.put(" > ");
    put_ip(line, ip.subspan(16));
    if (!ports.empty()) line.put('.').number(get16(ports, 2));
}

// RFC 9293, 3.1
void put_tcp(Text& line, Header ip, Header tcp, std::size_t packet_length) {
    put_addresses(line, ip, tcp);
    line.put(": ");
    const std::uint8_t flags = tcp[13];
    constexpr std::pair<std::uint8_t, char> letters[] = {{2, 'S'}, {1, 'F'}, {4, 'R'}, {8, 'P'}};
    for (const auto& [bit, letter] : letters)
        if ((flags & bit) != 0) line.put(letter);
    if ((flags & 15) == 0) line.put('.');
    const std::uint32_t headers = (ip[0] & 15u) * 4 + (tcp[12] >> 4) * 4u;
    const std::uint32_t total = get16(ip, 2);
    const std::uint32_t counted = (total > headers ? total - headers : 0) + ((flags & 2) != 0) + ((flags & 1) != 0);
    const std::uint32_t sequence = get32(tcp, 4);
    line.put(' ').number(sequence).put(':').number(sequence + counted);
    line.put('(').number(counted).put(',').number(packet_length).put(',').number(total).put(')');
    if ((flags & 16) != 0) line.put(" ack ").number(get32(tcp, 8));
    line.put(" win ").number(get16(tcp, 14));
    if ((flags & 32) != 0) line.put(" urg ").number(get16(tcp, 18));
}

void put_udp(Text& line, Header ip, Header udp) {
    put_addresses(line, ip, udp);
    const std::uint32_t length = get16(udp, 4);
    line.put(": udp ").number(length >= 8 ? length - 8 : 0);
}

struct TypeName {
    std::uint8_t type;
    std::string_view name;
};
// RFC 792
constexpr TypeName icmp_types[] = {{0, "echo-reply"}, {3, "unreachable"}, {4, "source-quench"}, {5, "redirect"}, {8, "echo-request"}, {11, "time-exceeded"}, {12, "parameter-problem"}, {13, "timestamp-request"}, {14, "timestamp-reply"}};

void put_icmp(Text& line, Header ip, Header icmp) {
    put_addresses(line, ip);
    line.put(": icmp ");
    const std::uint8_t type = icmp[0];
    const auto found = std::find_if(std::begin(icmp_types), std::end(icmp_types), [&](const TypeName& row) { return row.type == type; });
    if (found != std::end(icmp_types)) line.put(found->name);
    else line.put("type ").number(type).put(" code ").number(icmp[1]);
    if (type == 0 || type == 8 || type == 13 || type == 14) line.put(" (").number(get16(icmp, 4)).put(", ").number(get16(icmp, 6)).put(')');
}

std::size_t transport_header(Header ip, Header transport) {
    const std::uint8_t protocol = ip[9];
    if ((get16(ip, 6) & 0x1fff) != 0) return 0;
    if (protocol == 6 && transport.size() >= 20) return (transport[12] >> 4) * std::size_t{4};
    return (protocol == 17 || protocol == 1) && transport.size() >= 8 ? 8 : 0;
}

}  // namespace

constinit const ElementClass IPPrint::class_row{
    "IPPrint", "1/1", "a/a", "[LABEL] [, CONTENTS, MAXLENGTH, PAYLOAD, ID, TTL, TOS, LENGTH, TIMESTAMP, AGGREGATE, PAINT, ACTIVE]", "writes IP packets to the console, readable", handler_rows, {}, create_element<IPPrint>};

void IPPrint::configure(Args& args) {
    args.optional("LABEL", label_);
    std::string_view contents = "NONE", payload = "NONE";
    args.keyword("CONTENTS", contents);
    args.keyword("PAYLOAD", payload);
    args.keyword("MAXLENGTH", max_length_);
    args.keyword("NBYTES", max_length_);
    const struct {
        std::string_view keyword;
        bool& value;
    } flags[] = {{"ID", id_}, {"TTL", ttl_}, {"TOS", tos_}, {"LENGTH", length_}, {"TIMESTAMP", timestamp_}, {"AGGREGATE", aggregate_}, {"PAINT", paint_}, {"ACTIVE", active_}};
    for (const auto& flag : flags) args.keyword(flag.keyword, flag.value);
    if (!read_packet_text(contents, contents_)) args.error("got CONTENTS `", contents, "`, expected `HEX`, `ASCII` or `NONE`");
    if (!read_packet_text(payload, payload_)) args.error("got PAYLOAD `", payload, "`, expected `HEX`, `ASCII` or `NONE`");
    if (label_.size() > longest_label) args.error("label is longer than ", longest_label, " bytes");
}

void IPPrint::initialize(Environment& environment, Errors&) { write_ = environment.print; }

void IPPrint::put_header(Text& line, Packet& packet, Header ip) const {
    if (id_) line.put("id ").number(get16(ip, 4)).put(' ');
    if (ttl_) line.put("ttl ").number(ip[8]).put(' ');
    if (tos_) line.put("tos ").number(ip[1]).put(' ');
    if (length_) line.put("length ").number(get16(ip, 2)).put(' ');
    const std::size_t header = std::min<std::size_t>((ip[0] & 15u) * 4, ip.size());
    const Header transport = ip.subspan(header);
    const std::uint32_t fragment = get16(ip, 6);
    const bool first = (fragment & 0x1fff) == 0;
    if (first && ip[9] == 6 && transport.size() >= 20) put_tcp(line, ip, transport, packet.length());
    else if (first && ip[9] == 17 && transport.size() >= 8) put_udp(line, ip, transport);
    else if (first && ip[9] == 1 && transport.size() >= 8) put_icmp(line, ip, transport);
    else put_addresses(line, ip), line.put(first ? ": ip-proto-" : "");
    if (first && line.view().ends_with("ip-proto-")) line.number(ip[9]);
    if ((fragment & 0x3fff) == 0) return;
    const std::uint32_t total = get16(ip, 2);
    line.put(" (frag ").number(get16(ip, 4)).put(':').number(total > header ? total - header : 0).put('@').number((fragment & 0x1fff) * 8);
    line.put((fragment & 0x2000) != 0 ? "+)" : ")");
}

void IPPrint::print(Packet& packet) const {
    char buffer[longest_print_line];
    Text line{buffer};
    if (!label_.empty()) line.put(label_).put(": ");
    if (timestamp_) {
        put_time(line, packet.arrival_ns);
        line.put(": ");
    }
    if (aggregate_) line.put('#').number(packet.aggregate);
    if (paint_) line.put(aggregate_ ? "." : "paint ").number(packet.paint);
    if (aggregate_ || paint_) line.put(": ");
    const Header ip = packet.network();
    const bool whole = ip.size() >= 20;
    if (whole) put_header(line, packet, ip);
    else line.put("(Not an IP packet)");
    const PacketText form = contents_ != PacketText::none ? contents_ : payload_;
    Header shown = whole ? ip : Header{packet.bytes()};
    if (whole && contents_ == PacketText::none) {
        const Header transport = ip.subspan(std::min<std::size_t>((ip[0] & 15u) * 4, ip.size()));
        shown = transport.subspan(std::min(transport_header(ip, transport), transport.size()));
    }
    if (form != PacketText::none) put_bytes(line, shown.first(std::min<std::size_t>(shown.size(), max_length_)), form, form == PacketText::hex ? 24 : 80);
    write_(line.put('\n').view());
}

void IPPrint::process(Batch& batch) {
    if (!active_ || !write_) return;
    for (Packet& packet : batch) print(packet);
}

}  // namespace unibpf
