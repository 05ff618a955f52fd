#include "guest/elements/icmp/icmp_error.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/icmp.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};

struct Word {
    std::string_view text;
    std::uint8_t type;
    std::uint8_t code;
};
constexpr std::uint8_t unreachable = 3, source_quench = 4, redirect = 5, time_exceeded = 11, parameter_problem = 12;
constexpr std::uint8_t need_fragmentation = 4;
constexpr Word types[] = {
    {"unreachable", unreachable, 0},
    {"sourcequench", source_quench, 0},
    {"redirect", redirect, 0},
    {"timeexceeded", time_exceeded, 0},
    {"parameterproblem", parameter_problem, 0},
};
constexpr Word codes[] = {
    {"net", unreachable, 0},
    {"host", unreachable, 1},
    {"protocol", unreachable, 2},
    {"port", unreachable, 3},
    {"needfrag", unreachable, need_fragmentation},
    {"srcroutefail", unreachable, 5},
    {"netunknown", unreachable, 6},
    {"hostunknown", unreachable, 7},
    {"hostisolated", unreachable, 8},
    {"netprohibited", unreachable, 9},
    {"hostprohibited", unreachable, 10},
    {"nettos", unreachable, 11},
    {"hosttos", unreachable, 12},
    {"filterprohibited", unreachable, 13},
    {"hostprecedence", unreachable, 14},
    {"precedencecutoff", unreachable, 15},
    {"net", redirect, 0},
    {"host", redirect, 1},
    {"tosnet", redirect, 2},
    {"toshost", redirect, 3},
    {"transit", time_exceeded, 0},
    {"reassembly", time_exceeded, 1},
    {"erroratptr", parameter_problem, 0},
    {"missingopt", parameter_problem, 1},
    {"length", parameter_problem, 2},
};

constexpr std::size_t longest_error = 576;  // RFC 1812 4.3.2.3
constexpr std::uint8_t error_ttl = 255;

bool is_error(std::uint8_t type) {
    return type == unreachable || type == source_quench || type == redirect || type == time_exceeded || type == parameter_problem;
}

bool has_source_route(const wire::Ipv4<std::uint8_t>& ip) {
    const std::span<const std::uint8_t> header = ip.header();
    for (std::size_t at = wire::Ipv4<std::uint8_t>::least_header_bytes; at < header.size() && header[at] != 0;) {
        if (header[at] == 131 || header[at] == 137) return true;  // RFC 791: loose and strict
        const std::size_t length = header[at] == 1 ? 1 : at + 1 < header.size() ? header[at + 1]
                                                                                : 0;
        if (length == 0) return false;
        at += length;
    }
    return false;
}

}  // namespace

constinit const ElementClass ICMPError::class_row{
    "ICMPError", "1/1", "a/a", "IPADDR, TYPE [, CODE] [, BADADDRS, MTU, PMTU, SET_FIX_ANNO]", "makes the ICMP error that a packet deserves", handler_rows,
    reason_list<DropReason::no_error, DropReason::no_buffer>, create_element<ICMPError>};

void ICMPError::read_kind(Args& args) {
    std::string_view type, code;
    if (!args.required("TYPE", type)) return;
    const auto* found = std::find_if(std::begin(types), std::end(types), [&](const Word& word) { return word.text == type; });
    if (found != std::end(types)) type_ = found->type;
    else if (!read_word(type, type_)) return args.error("got TYPE `", type, "`, expected a number or a word such as `unreachable`");
    if (!is_error(type_)) args.error("got TYPE ", type_, ", expected an ICMP error");
    if (!args.optional("CODE", code)) return;
    found = std::find_if(std::begin(codes), std::end(codes), [&](const Word& word) { return word.text == code && word.type == type_; });
    if (found != std::end(codes)) code_ = found->code;
    else if (!read_word(code, code_)) args.error("got CODE `", code, "`, expected a number or a word such as `host`");
}

void ICMPError::configure(Args& args) {
    AnyText bad;
    args.required("IPADDR", address_);
    read_kind(args);
    args.optional("BADADDRS", bad);
    args.optional("MTU", mtu_);
    args.keyword("PMTU", mtu_);
    args.keyword("SET_FIX_ANNO", fix_source_);
    for (std::string_view word = next_word(bad.text); !word.empty(); word = next_word(bad.text)) {
        IpAddress address{};
        if (bad_count_ == most_bad) return args.error("more than ", most_bad, " addresses in BADADDRS");
        if (read_word(word, address)) bad_[bad_count_++] = wire::load32(address.data());
        else args.error("got `", word, "` in BADADDRS, expected an IP address");
    }
}

void ICMPError::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

// RFC 1812 5.3.7: neither nobody, loopback, multicast, reserved, nor one of BADADDRS.
bool ICMPError::valid_source(std::uint32_t source) const {
    const std::uint32_t net = source >> 24;
    return net != 0 && net != 127 && net < 224 && std::find(bad_.begin(), bad_.begin() + bad_count_, source) == bad_.begin() + bad_count_;
}

bool ICMPError::may_answer(const Packet& packet, const Ip& ip) const {
    if (packet.type == static_cast<std::uint8_t>(PacketType::broadcast) || packet.type == static_cast<std::uint8_t>(PacketType::multicast)) return false;
    if (ip.fragment_offset() != 0 || !valid_source(ip.source()) || ip.destination() >> 28 >= 14) return false;
    if (ip.protocol() == wire::IpProtocol::icmp && (ip.rest().empty() || is_error(ip.rest()[0]))) return false;
    return !has_source_route(ip);
}

PacketPtr ICMPError::answer(const Packet& packet, const Ip& ip) {
    constexpr std::size_t icmp_bytes = wire::Icmp<std::uint8_t>::header_bytes, headers = Ip::least_header_bytes + icmp_bytes;
    PacketPtr made = pool_->acquire();
    const std::size_t quoted = std::min(ip.bytes().size(), longest_error - headers);
    if (!made || !made->put(static_cast<std::uint16_t>(headers + quoted))) return {};
    std::uint8_t* icmp = made->data() + Ip::least_header_bytes;
    std::memset(icmp, 0, icmp_bytes);
    icmp[0] = type_;
    icmp[1] = code_;
    if (type_ == unreachable && code_ == need_fragmentation) wire::store16(icmp + 6, mtu_);
    if (type_ == parameter_problem) icmp[4] = packet.parameter;
    if (type_ == redirect) std::memcpy(icmp + 4, &packet.destination_ip, 4);
    std::memcpy(icmp + icmp_bytes, ip.bytes().data(), quoted);
    wire::view<wire::Icmp>(made->bytes().subspan(Ip::least_header_bytes)).set_checksum();
    const auto header = Ip::write(made->bytes(), wire::IpProtocol::icmp, wire::load32(address_.data()), ip.source(), error_ttl);
    header.set_fragment(0);
    header.set_id(++id_);
    header.set_checksum();
    made->set_network(0);
    made->set_transport(Ip::least_header_bytes);
    std::memcpy(&made->destination_ip, header.destination_field().data(), sizeof made->destination_ip);
    made->arrival_ns = packet.arrival_ns;
    made->fix_source = fix_source_;
    return made;
}

void ICMPError::process(Batch& batch) {
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        const auto ip = wire::view<wire::Ipv4>(packet->network());
        if (!ip || !may_answer(*packet, ip)) {
            drop(std::move(packet), DropReason::no_error);
            continue;
        }
        PacketPtr made = answer(*packet, ip);
        if (made) batch.push_back(std::move(made));
        else drop(std::move(packet), DropReason::no_buffer);
    }
}

}  // namespace unibpf
