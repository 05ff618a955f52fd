#include "guest/elements/ip/forward/ip_fragmenter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr std::uint32_t least_mtu = 68;  // RFC 791 3.2
constexpr Handler handler_rows[] = {count_handler, drops_handler, read_handler<IPFragmenter, &IPFragmenter::fragments>("fragments")};
}  // namespace

constinit const ElementClass IPFragmenter::class_row{
    "IPFragmenter", "1/1-2", "h/h", "MTU [, HONOR_DF]", "cuts long packets into fragments", handler_rows,
    reason_list<DropReason::too_long, DropReason::bad_header, DropReason::no_buffer>, create_element<IPFragmenter>};

void IPFragmenter::configure(Args& args) {
    std::uint32_t mtu = 0;
    bool honor = true, verbose = false;
    args.required("MTU", mtu);
    args.optional("HONOR_DF", honor);
    args.optional("VERBOSE", verbose);
    configure_mtu(args, mtu, honor);
}

void IPFragmenter::configure_mtu(Args& args, std::uint32_t mtu, bool honor) {
    mtu_ = mtu;
    honor_df_ = honor;
    if (mtu < least_mtu) args.error("got MTU ", mtu, ", expected at least ", least_mtu);
}

void IPFragmenter::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

bool IPFragmenter::fits(Packet& packet) const { return packet.network().size() <= mtu_; }

void IPFragmenter::send(PacketPtr packet, Outflow& out, unsigned df_port) {
    if (fits(*packet)) return out.put(std::move(packet));
    const auto ip = wire::view<wire::Ipv4>(packet->network());
    if (!ip || ip.length_fault() != wire::IpFault::none) return drop(std::move(packet), DropReason::bad_header);
    if (honor_df_ && (ip.fragment() & ip_hop::Ip::dont_fragment) != 0) {
        Batch batch;
        batch.push_back(std::move(packet));
        return push_or_drop(df_port, std::move(batch), DropReason::too_long);
    }
    cut(*packet, ip, out);
}

void IPFragmenter::cut(const Packet& packet, const ip_hop::Ip& ip, Outflow& out) {
    std::uint8_t later_header[60];
    const std::span<const std::uint8_t> first{ip.header()}, later{later_header, ip_hop::copied_header(ip, later_header)};
    const std::span<const std::uint8_t> payload = ip.payload();
    const std::uint16_t before = ip.fragment();
    for (std::size_t at = 0; at < payload.size();) {
        const std::span<const std::uint8_t> header = at == 0 ? first : later;
        const std::size_t room = (mtu_ - header.size()) & ~std::size_t{7};
        const std::size_t bytes = std::min(room, payload.size() - at);
        const bool more = at + bytes < payload.size() || (before & ip_hop::Ip::more_fragments) != 0;
        const std::size_t offset = ip.fragment_offset() + at;
        PacketPtr made = piece(packet, header, payload.subspan(at, bytes), static_cast<std::uint16_t>((more ? ip_hop::Ip::more_fragments : 0) | offset / 8));
        if (!made) return count_drop(DropReason::no_buffer);
        ++fragments_;
        out.put(std::move(made));
        at += bytes;
    }
}

PacketPtr IPFragmenter::piece(const Packet& packet, std::span<const std::uint8_t> header, std::span<const std::uint8_t> payload, std::uint16_t field) {
    PacketPtr made = pool_->acquire();
    if (!made || !made->put(static_cast<std::uint16_t>(header.size() + payload.size()))) return {};
    made->copy_annotations(packet);
    std::memcpy(made->data(), header.data(), header.size());
    std::memcpy(made->data() + header.size(), payload.data(), payload.size());
    made->set_network(0);
    made->set_transport(static_cast<std::uint16_t>(header.size()));
    const auto ip = wire::view<wire::Ipv4>(made->network());
    ip.set_total_bytes(made->length());
    ip.set_fragment(field);
    ip.set_checksum();
    return made;
}

void IPFragmenter::push(unsigned, Batch&& batch) {
    bool all_fit = true;
    for (Packet& packet : batch) all_fit = all_fit && fits(packet);
    if (all_fit) return output(0).push(std::move(batch));
    Outflow out{*this, 0};
    while (!batch.empty()) send(batch.pop_front(), out, 1);
}

}  // namespace unibpf
