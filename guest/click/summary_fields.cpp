#include "guest/click/summary_fields.hpp"

#include <cctype>
#include <cstdio>

#include "guest/click/elements/summary_options.hpp"
#include "guest/graph/args.hpp"
#include "guest/graph/text.hpp"

namespace unibpf::click {
namespace {

constexpr std::string_view tcp_flag_letters = "FSRPAUEWN";
constexpr std::uint64_t second_ns = 1'000'000'000;

void put(std::string& out, std::uint64_t number) { out += std::to_string(number); }

// --- how fields are written ---

using View = const SummaryView&;

void write_protocol(View v, std::string& out) {
    if (v.ip.empty()) return;
    if (v.protocol == 6) out += 'T';
    else if (v.protocol == 17) out += 'U';
    else if (v.protocol == 1) out += 'I';
    else put(out, v.protocol);
}

void write_fragment(View v, std::string& out) {
    if (v.ip.empty()) return;
    const std::uint32_t bits = v.ip16(6);
    out += (bits & 0x1fff) != 0 ? 'f' : (bits & 0x2000) != 0 ? 'F'
                                                             : '.';
}

void write_fragment_offset(View v, std::string& out) {
    if (v.ip.empty()) return;
    put(out, (v.ip16(6) & 0x1fff) * 8);
    if ((v.ip16(6) & 0x2000) != 0) out += '+';
}

void write_flags(View v, std::string& out) {
    if (!v.tcp) return;
    const std::uint32_t flags = v.t16(12) & 0x1ff;
    for (std::size_t i = 0; i < tcp_flag_letters.size(); ++i)
        if ((flags >> i & 1) != 0) out += tcp_flag_letters[i];
    if (flags == 0) out += '.';
}

std::span<const std::uint8_t> tcp_options(View v) {
    const std::size_t header = v.tcp_header();
    return header < 20 || header > v.transport.size() ? std::span<const std::uint8_t>{} : v.transport.subspan(20, header - 20);
}

template <TcpOptionKinds kinds>
void write_tcp_options(View v, std::string& out) {
    if (v.tcp) out += tcp_options_text(tcp_options(v), kinds);
}

template <std::size_t at, int bytes>
void write_ip(View v, std::string& out) {
    if (!v.ip.empty()) put(out, bytes == 1 ? v.get8(at) : bytes == 2 ? v.ip16(at)
                                                                     : v.ip32(at));
}
template <std::size_t at>
void write_address(View v, std::string& out) {
    if (!v.ip.empty()) out += address_text(v.ip32(at));
}
template <std::size_t at>
void write_port(View v, std::string& out) {
    if (v.has_ports()) put(out, v.t16(at));
}
template <std::size_t at, int bytes>
void write_tcp(View v, std::string& out) {
    if (v.tcp) put(out, bytes == 1 ? v.t8(at) : bytes == 2 ? v.t16(at)
                                                           : v.t32(at));
}
template <std::size_t at, int bytes>
void write_icmp(View v, std::string& out) {
    if (v.icmp) put(out, bytes == 1 ? v.t8(at) : v.t16(at));
}
template <std::size_t at>
void write_udp(View v, std::string& out) {
    if (v.udp) put(out, v.t16(at));
}

void write_payload(View v, std::string& out) {
    if (!v.ip.empty()) out += quoted_bytes(v.payload());
}

void write_link(View v, std::string& out) {
    if (v.packet.paint == 0) out += '>';
    else if (v.packet.paint == 1) out += '<';
    else put(out, v.packet.paint);
}

// The frame's own header, where there is one before the network header.
void write_ether(View v, std::string& out, std::size_t at) {
    if (v.ip.empty() || v.packet.network().data() - v.packet.data() < 14) return;
    for (std::size_t i = 0; i < 6; ++i) {
        char text[4];
        std::snprintf(text, sizeof text, i == 0 ? "%02X" : "-%02X", v.packet.data()[at + i]);
        out += text;
    }
}

// --- how fields are read ---

using Word = std::string_view;

template <std::optional<std::uint32_t> Summary::* member, std::uint32_t most = 0xffffffff>
bool read_number(Word word, Summary& summary) {
    std::uint32_t value = 0;
    if (!read_word(word, value) || value > most) return false;
    summary.*member = value;
    return true;
}

template <std::optional<std::uint32_t> Summary::* member>
bool read_address(Word word, Summary& summary) {
    IpAddress address{};
    if (!read_word(word, address)) return false;
    summary.*member = std::uint32_t{address[0]} << 24 | std::uint32_t{address[1]} << 16 | std::uint32_t{address[2]} << 8 | address[3];
    return true;
}

template <std::optional<std::uint32_t> Summary::* member>
bool read_port(Word word, Summary& summary) {
    PortNumber port;
    if (!read_word(word, port)) return false;
    summary.*member = port.number;
    return true;
}

bool read_time(Word word, Summary& summary) {
    Duration time;
    if (!read_word(word, time)) return false;
    summary.time_ns = time.ns;
    return true;
}

bool read_protocol(Word word, Summary& summary) {
    constexpr std::pair<std::string_view, std::uint32_t> names[] = {{"T", 6}, {"U", 17}, {"I", 1}, {"tcp", 6}, {"udp", 17}, {"icmp", 1}};
    for (const auto& [name, number] : names)
        if (name == word) return summary.protocol = number, true;
    return read_number<&Summary::protocol, 255>(word, summary);
}

bool read_fragment(Word word, Summary& summary) {
    if (word == "." || word == "F" || word == "f") summary.fragment = word == "F" ? 0x2000 : word == "f" ? 100
                                                                                                         : 0;
    return summary.fragment.has_value();
}

bool read_fragment_offset(Word word, Summary& summary) {
    const bool more = word.ends_with('+');
    std::uint32_t offset = 0;
    if (!read_word(slice(word, 0, word.size() - more), offset) || offset % 8 != 0 || offset > 65528) return false;
    summary.fragment = offset / 8 | (more ? 0x2000 : 0);
    return true;
}

bool read_flags(Word word, Summary& summary) {
    std::uint32_t flags = 0;
    if (read_word(word, flags)) return summary.tcp_flags = flags & 0x1ff, true;
    for (const char c : word) {
        if (c == '.') continue;
        std::size_t bit = tcp_flag_letters.find(c);
        if (c == 'C') bit = 7;
        if (c == 'X') bit = 6;
        if (c == 'Y') bit = 7;
        if (bit == std::string_view::npos) return false;
        flags |= 1u << bit;
    }
    summary.tcp_flags = flags;
    return true;
}

bool read_payload(Word word, Summary& summary) {
    summary.payload = std::string{word};
    return true;
}

bool read_link(Word word, Summary& summary) {
    if (word == ">" || word == "L") return summary.paint = 0, true;
    if (word == "<" || word == "R" || word == "X") return summary.paint = 1, true;
    return read_number<&Summary::paint, 255>(word, summary);
}

bool read_count(Word word, Summary& summary) {
    std::uint32_t count = 0;
    if (!read_word(word, count)) return false;
    summary.extra_packets = count > 0 ? count - 1 : 0;
    return true;
}

bool read_options_of_tcp(Word word, Summary& summary) {
    std::string bytes;
    if (!read_tcp_options(word, bytes)) return false;
    summary.tcp_options = bytes;
    return true;
}

bool read_options_of_ip(Word word, Summary& summary) {
    std::string bytes;
    if (!read_ip_options(word, bytes)) return false;
    summary.ip_options = bytes;
    return true;
}

void write_nanoseconds(View v, std::string& out) {
    char text[40];
    std::snprintf(text, sizeof text, "%llu.%09llu", static_cast<unsigned long long>(v.packet.arrival_ns / second_ns),
                  static_cast<unsigned long long>(v.packet.arrival_ns % second_ns));
    out += text;
}

constexpr SummaryField fields[] = {
    {"timestamp", "ts", [](View v, std::string& out) { out += timestamp_text(v.packet.arrival_ns); }, read_time},
    {"ntimestamp", "nts", write_nanoseconds, read_time},
    {"ts_sec", "tssec", [](View v, std::string& out) { put(out, v.packet.arrival_ns / second_ns); }, read_time},
    {"ts_usec", "tsusec", [](View v, std::string& out) { put(out, v.packet.arrival_ns % second_ns / 1000); }, nullptr},
    {"utimestamp", "uts", [](View v, std::string& out) { put(out, v.packet.arrival_ns / 1000); }, nullptr},
    {"ip_src", "src", write_address<12>, read_address<&Summary::source>},
    {"ip_dst", "dst", write_address<16>, read_address<&Summary::destination>},
    {"ip_tos", "tos", write_ip<1, 1>, read_number<&Summary::tos, 255>},
    {"ip_ttl", "ttl", write_ip<8, 1>, read_number<&Summary::ttl, 255>},
    {"ip_len", "length", write_ip<2, 2>, read_number<&Summary::ip_length, 65535>},
    {"ip_id", "id", write_ip<4, 2>, read_number<&Summary::id, 65535>},
    {"ip_sum", "ip_checksum", write_ip<10, 2>, read_number<&Summary::ip_checksum, 65535>},
    {"ip_proto", "proto", write_protocol, read_protocol},
    {"ip_frag", "frag", write_fragment, read_fragment},
    {"ip_fragoff", "fragoff", write_fragment_offset, read_fragment_offset},
    {"ip_hl", "hl", [](View v, std::string& out) { if (!v.ip.empty()) put(out, v.header); }, nullptr},
    {"ip_opt", "ip_options", [](View v, std::string& out) { if (!v.ip.empty()) out += ip_options_text(v.ip.subspan(20, v.header - 20)); }, read_options_of_ip},
    {"ip_capture_len", "ip_caplen", [](View v, std::string& out) { if (!v.ip.empty()) put(out, v.ip.size()); }, read_number<&Summary::capture_length>},
    {"sport", "src_port", write_port<0>, read_port<&Summary::source_port>},
    {"dport", "dst_port", write_port<2>, read_port<&Summary::destination_port>},
    {"tcp_seq", "seq", write_tcp<4, 4>, read_number<&Summary::sequence>},
    {"tcp_ack", "ack", write_tcp<8, 4>, read_number<&Summary::acknowledgement>},
    {"tcp_flags", "flags", write_flags, read_flags},
    {"tcp_window", "win", write_tcp<14, 2>, read_number<&Summary::window, 65535>},
    {"tcp_sum", "tcp_checksum", write_tcp<16, 2>, read_number<&Summary::transport_checksum, 65535>},
    {"tcp_urp", "urp", write_tcp<18, 2>, read_number<&Summary::urgent, 65535>},
    {"tcp_off", "tcp_offset", [](View v, std::string& out) { if (v.tcp) put(out, v.tcp_header()); }, read_number<&Summary::tcp_offset, 60>},
    {"tcp_opt", "tcp_options", write_tcp_options<TcpOptionKinds::all>, read_options_of_tcp},
    {"tcp_ntopt", "tcp_ntoptions", write_tcp_options<TcpOptionKinds::not_time>, read_options_of_tcp},
    {"tcp_sack", "sack", write_tcp_options<TcpOptionKinds::sack>, read_options_of_tcp},
    {"udp_len", "udp_length", write_udp<4>, read_number<&Summary::udp_length, 65535>},
    {"udp_sum", "udp_checksum", write_udp<6>, read_number<&Summary::transport_checksum, 65535>},
    {"icmp_type", "icmptype", write_icmp<0, 1>, read_number<&Summary::icmp_type, 255>},
    {"icmp_code", "icmpcode", write_icmp<1, 1>, read_number<&Summary::icmp_code, 255>},
    {"icmp_sum", "icmp_checksum", write_icmp<2, 2>, read_number<&Summary::transport_checksum, 65535>},
    {"icmp_flowid", "icmp_id", write_icmp<4, 2>, read_number<&Summary::icmp_id, 65535>},
    {"icmp_seq", "icmp_sequence", write_icmp<6, 2>, read_number<&Summary::icmp_sequence, 65535>},
    {"icmp_nextmtu", "icmp_mtu", write_icmp<6, 2>, read_number<&Summary::icmp_mtu, 65535>},
    {"payload", "data", write_payload, read_payload},
    {"payload_len", "payload_length", [](View v, std::string& out) { if (!v.ip.empty()) put(out, static_cast<std::uint64_t>(v.payload_length())); }, read_number<&Summary::payload_length, 65535>},
    {"link", "direction", write_link, read_link},
    {"aggregate", "agg", [](View v, std::string& out) { put(out, v.packet.aggregate); }, read_number<&Summary::aggregate>},
    {"count", "pkt_count", [](View v, std::string& out) { put(out, std::uint64_t{v.packet.extra_packets} + 1); }, read_count},
    {"wire_len", "wirelen", [](View v, std::string& out) { put(out, std::uint64_t{v.packet.length()} + v.packet.extra_length); }, nullptr},
    {"eth_src", "ether_src", [](View v, std::string& out) { write_ether(v, out, 6); }, nullptr},
    {"eth_dst", "ether_dst", [](View v, std::string& out) { write_ether(v, out, 0); }, nullptr},
};

// "TCP seq" and "tcp_seq" are one.
std::string plain(std::string_view name) {
    std::string out;
    for (const char c : name) out += c == ' ' || c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

}  // namespace

const SummaryField* find_summary_field(std::string_view name) {
    const std::string wanted = plain(name);
    for (const SummaryField& field : fields)
        if (field.name == wanted || field.alias == wanted) return &field;
    return nullptr;
}

std::string timestamp_text(std::uint64_t ns) {
    char text[40];
    const bool micro = ns % 1000 == 0;
    std::snprintf(text, sizeof text, micro ? "%llu.%06llu" : "%llu.%09llu", static_cast<unsigned long long>(ns / second_ns),
                  static_cast<unsigned long long>(ns % second_ns / (micro ? 1000 : 1)));
    return text;
}

std::string address_text(std::uint32_t address) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += std::to_string(address >> shift & 255) + (shift > 0 ? "." : "");
    return out;
}

std::string quoted_bytes(std::span<const std::uint8_t> bytes) {
    std::string out = "\"";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::uint8_t byte = bytes[i];
        if (byte == '"' || byte == '\\' || byte == '$') out += {'\\', static_cast<char>(byte)};
        else if (byte == '\n') out += "\\n";
        else if (byte == '\t') out += "\\t";
        else if (byte == '\r') out += "\\r";
        else if (byte >= 0x20 && byte < 0x7f) out += static_cast<char>(byte);
        else {
            out += "\\<";
            for (; i < bytes.size() && (bytes[i] < 0x20 || bytes[i] >= 0x7f); ++i) {
                char text[3];
                std::snprintf(text, sizeof text, "%02X", bytes[i]);
                out += text;
            }
            out += '>';
            --i;
        }
    }
    return out + "\"";
}

}  // namespace unibpf::click
