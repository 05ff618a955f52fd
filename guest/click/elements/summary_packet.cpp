#include "guest/click/elements/summary_packet.hpp"

#include <algorithm>
#include <cstring>

#include "guest/bpf/maps/random.hpp"
#include "guest/wire/checksum.hpp"

namespace unibpf::click {
namespace {

constexpr std::uint8_t default_ttl = 100;

void store16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
void store32(std::uint8_t* at, std::uint32_t value) {
    store16(at, value >> 16);
    store16(at + 2, value);
}

class Maker {
  public:
    Maker(const Summary& summary, const SummaryPacketOptions& options, Packet& packet) : s_{summary}, options_{options}, packet_{packet} {}

    void make() {
        choose_protocol();
        ip_header_ = 20 + (s_.ip_options ? s_.ip_options->size() : 0);
        const bool first = (s_.fragment.value_or(0) & 0x1fff) == 0;
        transport_header_ = first ? transport_header() : 0;
        const std::size_t headers = ip_header_ + transport_header_;
        std::size_t length = headers + (s_.payload ? s_.payload->size() : s_.payload_length.value_or(0));
        if (s_.ip_length && (!s_.payload || *s_.ip_length > length)) length = std::max<std::size_t>(*s_.ip_length, headers);
        const std::size_t captured = std::min<std::size_t>(length, Packet::longest_fresh);
        packet_.put(static_cast<std::uint16_t>(captured));
        packet_.extra_length = static_cast<std::uint32_t>(length - captured);
        fill(captured);
        ip(s_.ip_length.value_or(static_cast<std::uint32_t>(std::min<std::size_t>(length, 65535))));
        if (first) transport(length);
        if (s_.payload) std::memcpy(at(headers), s_.payload->data(), std::min(s_.payload->size(), captured - headers));
        checksums(first && captured == length);
        annotations();
    }

  private:
    std::uint8_t* at(std::size_t offset) { return packet_.data() + offset; }

    void choose_protocol() {
        protocol_ = static_cast<std::uint8_t>(s_.protocol.value_or(options_.protocol));
        if (s_.protocol) return;
        if (s_.udp_length) protocol_ = 17;
        if (s_.icmp_type || s_.icmp_code || s_.icmp_id || s_.icmp_sequence) protocol_ = 1;
        if (s_.sequence || s_.acknowledgement || s_.tcp_flags || s_.window || s_.tcp_options) protocol_ = 6;
    }

    std::size_t transport_header() const {
        if (protocol_ == 6) return 20 + (s_.tcp_options ? s_.tcp_options->size() : 0);
        return protocol_ == 17 || protocol_ == 1 ? 8 : 0;
    }

    void fill(std::size_t length) {
        std::memset(at(0), 0, length);
        if (options_.zero) return;
        for (std::size_t i = ip_header_ + transport_header_; i < length; ++i) *at(i) = static_cast<std::uint8_t>(random::next_u32() >> 9);
    }

    void ip(std::uint32_t length) {
        *at(0) = static_cast<std::uint8_t>(0x40 | ip_header_ / 4);
        *at(1) = static_cast<std::uint8_t>(s_.tos.value_or(0));
        store16(at(2), length);
        store16(at(4), s_.id.value_or(0));
        store16(at(6), s_.fragment.value_or(0));
        *at(8) = static_cast<std::uint8_t>(s_.ttl.value_or(default_ttl));
        *at(9) = protocol_;
        store16(at(10), s_.ip_checksum.value_or(0));
        store32(at(12), s_.source.value_or(0));
        store32(at(16), s_.destination.value_or(0));
        if (s_.ip_options) std::memcpy(at(20), s_.ip_options->data(), s_.ip_options->size());
    }

    void transport(std::size_t length) {
        std::uint8_t* t = at(ip_header_);
        if (protocol_ == 6 || protocol_ == 17) {
            store16(t, s_.source_port.value_or(0));
            store16(t + 2, s_.destination_port.value_or(0));
        }
        if (protocol_ == 6) {
            store32(t + 4, s_.sequence.value_or(0));
            store32(t + 8, s_.acknowledgement.value_or(0));
            store16(t + 12, static_cast<std::uint32_t>(transport_header_ / 4) << 12 | s_.tcp_flags.value_or(0));
            store16(t + 14, s_.window.value_or(0));
            store16(t + 16, s_.transport_checksum.value_or(0));
            store16(t + 18, s_.urgent.value_or(0));
            if (s_.tcp_options) std::memcpy(t + 20, s_.tcp_options->data(), s_.tcp_options->size());
        } else if (protocol_ == 17) {
            store16(t + 4, s_.udp_length.value_or(static_cast<std::uint32_t>(length - ip_header_)));
            store16(t + 6, s_.transport_checksum.value_or(0));
        } else if (protocol_ == 1) {
            t[0] = static_cast<std::uint8_t>(s_.icmp_type.value_or(0));
            t[1] = static_cast<std::uint8_t>(s_.icmp_code.value_or(0));
            store16(t + 2, s_.transport_checksum.value_or(0));
            store16(t + 4, s_.icmp_id.value_or(0));
            store16(t + 6, s_.icmp_sequence.value_or(s_.icmp_mtu.value_or(0)));
        }
    }

    void checksums(bool whole) {
        if (!options_.checksum) return;
        if (!s_.ip_checksum) store16(at(10), wire::checksum({at(0), ip_header_}));
        if (!whole || s_.transport_checksum || (s_.fragment.value_or(0) & 0x3fff) != 0) return;
        const std::span<const std::uint8_t> bytes{at(ip_header_), packet_.length() - ip_header_};
        const std::uint32_t pseudo = wire::sum({at(12), 8}) + protocol_ + static_cast<std::uint32_t>(bytes.size());
        if (protocol_ == 6) store16(at(ip_header_ + 16), wire::checksum(bytes, pseudo));
        if (protocol_ == 17) {
            const std::uint16_t sum = wire::checksum(bytes, pseudo);
            store16(at(ip_header_ + 6), sum == 0 ? 0xffff : sum);  // RFC 768: 0 would mean none
        }
        if (protocol_ == 1) store16(at(ip_header_ + 2), wire::checksum(bytes));
    }

    void annotations() {
        packet_.set_network(0);
        packet_.set_transport(static_cast<std::uint16_t>(ip_header_));
        packet_.arrival_ns = s_.time_ns.value_or(0);
        packet_.paint = static_cast<std::uint8_t>(s_.paint.value_or(0));
        packet_.aggregate = s_.aggregate.value_or(0);
        packet_.extra_packets = s_.extra_packets.value_or(0);
        // Click: the destination of a packet that was made is where it goes.
        packet_.destination_ip = __builtin_bswap32(s_.destination.value_or(0));
    }

    const Summary& s_;
    const SummaryPacketOptions& options_;
    Packet& packet_;
    std::size_t ip_header_ = 20, transport_header_ = 0;
    std::uint8_t protocol_ = 6;
};

}  // namespace

void fill_packet(const Summary& summary, const SummaryPacketOptions& options, Packet& packet) { Maker{summary, options, packet}.make(); }

}  // namespace unibpf::click
