#include "guest/elements/ip/ip_fields.hpp"

#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/udp.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr Handler dscp_rows[] = {count_handler, drops_handler, setting_handler<SetIPDSCP, &SetIPDSCP::dscp, &SetIPDSCP::set_dscp>("dscp")};
constexpr std::span<const DropReason> header_reasons = reason_list<DropReason::bad_header>;
constexpr std::uint8_t ecn_bits = 3;

using Ip = wire::Ipv4<std::uint8_t>;

bool set_ecn(Packet& packet, std::uint8_t ecn) {
    const auto ip = wire::view<wire::Ipv4>(packet.network());
    if (ip) ip.set_tos(static_cast<std::uint8_t>((ip.tos() & ~ecn_bits) | ecn));
    return static_cast<bool>(ip);
}

// TCP and UDP have their ports at the same place.
bool has_ports(const Ip& ip) {
    const auto protocol = ip.protocol();
    return (protocol == wire::IpProtocol::tcp || protocol == wire::IpProtocol::udp) && ip.fragment_offset() == 0 && ip.rest().size() >= 4;
}

}  // namespace

constinit const ElementClass FixIPSrc::class_row{
    "FixIPSrc", "1/1", "a/a", "IPADDR", "gives ICMP errors the source of the interface they leave by", handler_rows, {}, create_element<FixIPSrc>};
constinit const ElementClass SetIPChecksum::class_row{
    "SetIPChecksum", "1/1", "a/a", "", "makes the checksum of IPv4 headers anew", handler_rows, header_reasons, create_element<SetIPChecksum>};
constinit const ElementClass SetIPDSCP::class_row{
    "SetIPDSCP", "1/1", "a/a", "DSCP", "sets the differentiated services code point", dscp_rows, header_reasons, create_element<SetIPDSCP>};
constinit const ElementClass SetIPECN::class_row{
    "SetIPECN", "1/1", "a/a", "ECN", "sets the congestion bits of IPv4 headers", handler_rows, header_reasons, create_element<SetIPECN>};
constinit const ElementClass SetECN::class_row{
    "SetECN", "1/1", "a/a", "ECN", "sets the congestion bits, as SetIPECN", handler_rows, header_reasons, create_element<SetECN>};
constinit const ElementClass MarkIPCE::class_row{
    "MarkIPCE", "1/1", "a/a", "[FORCE]", "says that there was congestion", handler_rows, reason_list<DropReason::policed>, create_element<MarkIPCE>};
constinit const ElementClass IPMirror::class_row{
    "IPMirror", "1/1", "a/a", "[DST_ANNO]", "swaps source and destination", handler_rows, header_reasons, create_element<IPMirror>};

void FixIPSrc::configure(Args& args) { args.required("IPADDR", address_); }

void FixIPSrc::process(Batch& batch) {
    for (Packet& packet : batch) {
        if (!packet.fix_source) continue;
        packet.fix_source = false;
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (!ip) continue;
        ip.set_source(wire::load32(address_.data()));
        ip.set_checksum();
    }
}

void SetIPChecksum::process(Batch& batch) {
    auto set = [](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (ip) ip.set_checksum();
        return static_cast<bool>(ip);
    };
    keep(batch, set, DropReason::bad_header);
}

void SetIPDSCP::configure(Args& args) {
    args.required("DSCP", dscp_);
    if (dscp_ > 63) args.error("got DSCP ", dscp_, ", expected at most 63");
}

void SetIPDSCP::process(Batch& batch) {
    auto set = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (ip) ip.set_tos(static_cast<std::uint8_t>(dscp_ << 2 | (ip.tos() & ecn_bits)));
        return static_cast<bool>(ip);
    };
    keep(batch, set, DropReason::bad_header);
}

void SetIPECN::configure(Args& args) {
    std::string_view word;
    if (!args.required("ECN", word)) return;
    constexpr std::string_view names[] = {"no", "ect1", "ect2", "ce"};  // by RFC 3168's numbers
    for (std::uint8_t i = 0; i < 4; ++i)
        if (names[i] == word) return void(ecn_ = i);
    if (!read_word(word, ecn_) || ecn_ > ecn_bits) args.error("got ECN `", word, "`, expected a number up to 3, `no`, `ect1`, `ect2` or `ce`");
}

void SetIPECN::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return set_ecn(packet, ecn_); }, DropReason::bad_header);
}

void MarkIPCE::configure(Args& args) { args.optional("FORCE", force_); }

void MarkIPCE::process(Batch& batch) {
    auto mark = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        return ip && (force_ || (ip.tos() & ecn_bits) != 0) && set_ecn(packet, ecn_bits);
    };
    keep(batch, mark, DropReason::policed);
}

void IPMirror::configure(Args& args) { args.optional("DST_ANNO", annotate_); }

void IPMirror::process(Batch& batch) {
    auto mirror = [this](Packet& packet) {
        const auto ip = wire::view<wire::Ipv4>(packet.network());
        if (!ip) return false;
        ip.swap_addresses();
        if (has_ports(ip)) wire::swap_bytes(ip.rest().data(), ip.rest().data() + 2, 2);
        if (annotate_) std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
        return true;
    };
    keep(batch, mirror, DropReason::bad_header);
}

}  // namespace unibpf
