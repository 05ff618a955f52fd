#include "guest/elements/ip6/translate.hpp"

#include <cstring>

#include "guest/wire/ipv4.hpp"
#include "guest/wire/ipv6.hpp"

namespace unibpf::translate {

namespace {

using Ip = wire::Ipv4<std::uint8_t>;
using Ip6 = wire::Ipv6<std::uint8_t>;
constexpr std::uint8_t icmp = 1, tcp = 6, udp = 17, fragment = 44, icmp6 = 58;
constexpr std::size_t fragment_bytes = 8, icmp_bytes = 8;

// What a header says, whichever it was.
struct Header {
    std::uint8_t tos = 0, protocol = 0, ttl = 0;
    std::uint16_t id = 0;
    std::uint16_t fragment = 0;  // offset in units of eight, and IPv4's flags
    std::uint32_t source = 0, destination = 0;
    std::size_t bytes = 0;       // of the header itself
    std::size_t payload = 0;     // as the header says
    std::uint32_t address_sum = 0;

    bool is_fragment() const { return (fragment & Ip::fragment_bits) != 0; }
    bool later() const { return (fragment & 0x1fff) != 0; }
};

bool read4(std::span<std::uint8_t> bytes, Header& header) {
    const auto ip = wire::view<wire::Ipv4>(bytes);
    if (!ip || ip.total_bytes() < ip.header_bytes()) return false;
    header = {ip.tos(), static_cast<std::uint8_t>(ip.protocol()), ip.ttl(), ip.id(), ip.fragment(), ip.source(), ip.destination(), ip.header_bytes(), ip.total_bytes() - ip.header_bytes(), 0};
    header.address_sum = wire::sum(bytes.subspan(Ip::source_at, 8));
    return true;
}

bool embedded(const std::uint8_t* address, const Prefix& prefix, std::uint32_t& value) {
    if (std::memcmp(address, prefix.data(), prefix.size()) != 0) return false;
    value = wire::load32(address + prefix.size());
    return true;
}

// `foreign`: a source outside the prefix stands for nobody, 0.0.0.0, where an error is all that is lost (a router on the way).
bool read6(std::span<std::uint8_t> bytes, const Prefix& prefix, Header& header) {
    const auto ip = wire::view<wire::Ipv6>(bytes);
    if (!ip) return false;
    header = {ip.traffic_class(), static_cast<std::uint8_t>(ip.next_header()), ip.hop_limit(), 0, Ip::dont_fragment, 0, 0, Ip6::header_bytes, ip.payload_bytes(), 0};
    if (!embedded(ip.source().data(), prefix, header.source) || !embedded(ip.destination().data(), prefix, header.destination)) return false;
    header.address_sum = wire::sum(bytes.subspan(8, 32));
    if (header.protocol != fragment) return true;
    if (bytes.size() < Ip6::header_bytes + fragment_bytes || header.payload < fragment_bytes) return false;
    const std::uint8_t* at = &bytes[Ip6::header_bytes];
    const std::uint16_t field = wire::load16(at + 2);
    header.protocol = at[0];
    header.fragment = static_cast<std::uint16_t>(field >> 3 | ((field & 1) != 0 ? Ip::more_fragments : 0));
    header.id = static_cast<std::uint16_t>(wire::load32(at + 4));
    header.bytes += fragment_bytes;
    header.payload -= fragment_bytes;
    return true;
}

std::size_t write6(std::uint8_t* out, const Header& header, std::uint8_t protocol, std::size_t payload, const Prefix& prefix) {
    const std::size_t extra = header.is_fragment() ? fragment_bytes : 0;
    wire::store32(out, 0x6000'0000u | std::uint32_t{header.tos} << 20);
    wire::store16(out + 4, static_cast<std::uint16_t>(payload + extra));
    out[6] = extra != 0 ? fragment : protocol;
    out[7] = header.ttl;
    for (const auto& [at, address] : {std::pair{8, header.source}, std::pair{24, header.destination}}) {
        std::memcpy(out + at, prefix.data(), prefix.size());
        wire::store32(out + at + 12, address);
    }
    if (extra == 0) return Ip6::header_bytes;
    std::uint8_t* at = out + Ip6::header_bytes;
    at[0] = protocol;
    at[1] = 0;
    wire::store16(at + 2, static_cast<std::uint16_t>((header.fragment & 0x1fff) << 3 | ((header.fragment & Ip::more_fragments) != 0 ? 1 : 0)));
    wire::store32(at + 4, header.id);
    return Ip6::header_bytes + fragment_bytes;
}

std::size_t write4(std::uint8_t* out, const Header& header, std::uint8_t protocol, std::size_t payload) {
    const auto ip = Ip::write({out, Ip::least_header_bytes}, static_cast<wire::IpProtocol>(protocol), header.source, header.destination, header.ttl);
    out[Ip::tos_at] = header.tos;
    ip.set_total_bytes(Ip::least_header_bytes + payload);
    ip.set_id(header.id);
    ip.set_fragment(header.fragment);
    ip.set_checksum();
    return Ip::least_header_bytes;
}

// A checksum whose covered words change from those that sum up to `before` to those of `after`.
void move_sum(std::uint8_t* at, std::uint32_t before, std::uint32_t after) {
    const std::uint32_t sum = static_cast<std::uint16_t>(~wire::load16(at));
    wire::store16(at, static_cast<std::uint16_t>(~wire::fold(sum + static_cast<std::uint16_t>(~wire::fold(before)) + wire::fold(after))));
}

// False: a UDP datagram without a checksum, which IPv6 does not allow, and of which not all is there.
bool move_transport(std::uint8_t protocol, std::span<std::uint8_t> bytes, std::uint32_t before, std::uint32_t after, bool quoted, bool to6) {
    if (protocol == tcp && bytes.size() >= 18) move_sum(&bytes[16], before, after);
    if (protocol != udp || bytes.size() < 8) return true;
    if (wire::load16(&bytes[6]) == 0) {
        if (!to6 || quoted) return true;
        const std::size_t length = wire::load16(&bytes[4]);
        if (length != bytes.size()) return false;
        wire::store16(&bytes[6], wire::checksum(bytes, wire::fold(after) + std::uint32_t{udp} + static_cast<std::uint32_t>(length)));
    } else {
        move_sum(&bytes[6], before, after);
    }
    if (wire::load16(&bytes[6]) == 0) wire::store16(&bytes[6], 0xffff);
    return true;
}

// RFC 7915 4.2 and 5.2: type, code, and the second word, of errors. False: no counterpart.
bool map_error46(std::uint8_t* at) {
    const std::uint8_t type = at[0], code = at[1];
    if (type == 11) return at[0] = 3, true;
    if (type != 3 || code > 13) return false;
    constexpr std::uint8_t codes[] = {0, 0, 4, 4, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1};
    at[0] = code == 2 ? 4 : code == 4 ? 2
                                      : 1;
    at[1] = code == 2 ? 1 : codes[code];
    const std::uint16_t mtu = wire::load16(at + 6);
    wire::store32(at + 4, code == 2 ? 6 : code == 4 ? std::uint32_t{mtu < 1260 ? 1280u : mtu + 20u}
                                                    : 0);
    if (code == 4) at[1] = 0;
    return true;
}

bool map_error64(std::uint8_t* at) {
    const std::uint8_t type = at[0], code = at[1];
    const std::uint32_t word = wire::load32(at + 4);
    wire::store32(at + 4, 0);
    if (type == 3) return at[0] = 11, true;
    if (type == 2) {
        const std::uint32_t mtu = word < 1300 ? 1280 : word - 20;
        at[0] = 3, at[1] = 4;
        wire::store16(at + 6, static_cast<std::uint16_t>(mtu > 0xffff ? 0xffff : mtu));
        return true;
    }
    if (type == 4 && code == 1) return at[0] = 3, at[1] = 2, true;
    if (type != 1 || code > 6) return false;
    constexpr std::uint8_t codes[] = {1, 10, 1, 1, 3, 10, 10};
    at[0] = 3;
    at[1] = codes[code];
    return true;
}

bool map_echo(std::uint8_t* at, bool to6) {
    const std::uint8_t request = to6 ? 8 : 128, reply = to6 ? 0 : 129;
    if (at[0] != request && at[0] != reply) return false;
    at[0] = to6 ? (at[0] == request ? 128 : 129) : (at[0] == request ? 8 : 0);
    return true;
}

// The header that an error quotes, in the place of the one there; the packet becomes longer or shorter in the middle.
bool translate_quoted(Packet& packet, std::size_t at, const Prefix& prefix, bool to6) {
    Header header;
    const std::span<std::uint8_t> quoted = packet.bytes().subspan(at);
    if (!(to6 ? read4(quoted, header) : read6(quoted, prefix, header)) || quoted.size() < header.bytes) return false;
    const std::uint8_t wanted = header.protocol == (to6 ? icmp : icmp6) ? (to6 ? icmp6 : icmp) : header.protocol;
    std::uint8_t made[Ip6::header_bytes + fragment_bytes];
    const std::size_t length = to6 ? write6(made, header, wanted, header.payload, prefix) : write4(made, header, wanted, header.payload);
    const std::size_t rest = quoted.size() - header.bytes;
    if (length > header.bytes && !packet.put(static_cast<std::uint16_t>(length - header.bytes))) return false;
    std::uint8_t* begin = packet.data() + at;
    std::memmove(begin + length, begin + header.bytes, rest);
    std::memcpy(begin, made, length);
    if (length < header.bytes) packet.trim(static_cast<std::uint16_t>(header.bytes - length));
    const std::span<std::uint8_t> transport{begin + length, rest};
    if (header.later()) return true;
    if (wanted == (to6 ? icmp6 : icmp)) return rest < icmp_bytes || map_echo(transport.data(), to6);
    const std::uint32_t after = to6 ? wire::sum({made + 8, 32}) : wire::sum({made + Ip::source_at, 8});
    return move_transport(header.protocol, transport, header.address_sum, after, true, to6);
}

// The message after the new header, which is `header` bytes long; its lengths follow.
bool translate_icmp(Packet& packet, std::size_t header, const Prefix& prefix, bool to6) {
    if (packet.length() < header + icmp_bytes) return false;
    std::uint8_t* at = packet.data() + header;
    const bool error = to6 ? at[0] == 3 || at[0] == 11 : at[0] < 128;
    if (!error) {
        if (!map_echo(at, to6)) return false;
    } else if (!(to6 ? map_error46(at) : map_error64(at)) || !translate_quoted(packet, header + icmp_bytes, prefix, to6)) {
        return false;
    }
    const std::span<std::uint8_t> message = packet.bytes().subspan(header);
    wire::store16(&message[2], 0);
    if (to6) {
        wire::store16(packet.data() + 4, static_cast<std::uint16_t>(packet.length() - Ip6::header_bytes));
        const std::uint32_t pseudo = wire::sum(packet.bytes().subspan(8, 32)) + std::uint32_t{icmp6} + static_cast<std::uint32_t>(message.size());
        wire::store16(&message[2], wire::checksum(message, pseudo));
    } else {
        const auto ip = wire::view<wire::Ipv4>(packet.bytes());
        ip.set_total_bytes(packet.length());
        ip.set_checksum();
        wire::store16(&message[2], wire::checksum(message));
    }
    return true;
}

bool translate(Packet& packet, const Prefix& prefix, bool to6) {
    const std::span<std::uint8_t> network = packet.network();
    Header header;
    if (network.empty() || !(to6 ? read4(network, header) : read6(network, prefix, header))) return false;
    const std::size_t total = header.bytes + header.payload;
    if (total > network.size()) return false;
    const bool is_icmp = header.protocol == (to6 ? icmp : icmp6);
    if ((is_icmp && header.is_fragment()) || header.protocol == (to6 ? icmp6 : icmp)) return false;  // their checksum covers what is elsewhere
    const std::uint8_t protocol = is_icmp ? (to6 ? icmp6 : icmp) : header.protocol;
    packet.trim(static_cast<std::uint16_t>(network.size() - total));
    packet.pull(static_cast<std::uint16_t>(network.data() - packet.data() + header.bytes));
    std::uint8_t made[Ip6::header_bytes + fragment_bytes];
    const std::size_t length = to6 ? write6(made, header, protocol, header.payload, prefix) : write4(made, header, protocol, header.payload);
    if (!packet.push(static_cast<std::uint16_t>(length))) return false;
    std::memcpy(packet.data(), made, length);
    packet.set_network(0);
    packet.set_transport(static_cast<std::uint16_t>(length));
    if (header.later()) return true;
    if (is_icmp) return translate_icmp(packet, length, prefix, to6);
    const std::uint32_t after = to6 ? wire::sum({made + 8, 32}) : wire::sum({made + Ip::source_at, 8});
    return move_transport(header.protocol, packet.bytes().subspan(length), header.address_sum, after, false, to6);
}

}  // namespace

bool to_ipv6(Packet& packet, const Prefix& prefix) { return translate(packet, prefix, true); }
bool to_ipv4(Packet& packet, const Prefix& prefix) { return translate(packet, prefix, false); }

}  // namespace unibpf::translate
