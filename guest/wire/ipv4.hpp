// IPv4 (RFC 791 3.1).
#pragma once

#include "guest/wire/checksum.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf::wire {

enum class IpProtocol : std::uint8_t {
    icmp = 1,
    igmp = 2,
    ipip = 4,
    tcp = 6,
    udp = 17,
    gre = 47,
    esp = 50,
    icmpv6 = 58
};

enum class IpFault : std::uint8_t {
    none,
    too_short,
    bad_header
};

template <typename Byte>
class Ipv4 : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t version_at = 0, tos_at = 1, length_at = 2, id_at = 4, fragment_at = 6, ttl_at = 8, protocol_at = 9;
    static constexpr std::size_t checksum_at = 10, source_at = 12, destination_at = 16, least_header_bytes = 20, address_bytes = 4;
    static constexpr std::uint8_t version_and_words = 0x45;  // no options
    static constexpr std::uint16_t dont_fragment = 0x4000, more_fragments = 0x2000, fragment_bits = 0x3fff;  // more fragments, and the offset

    // Check: the header with its options is whole. `check_length` says the same of the packet.
    static IpFault fault(std::span<const std::uint8_t> packet) {
        if (packet.size() < least_header_bytes) return IpFault::too_short;
        const std::size_t header = (packet[version_at] & 15u) * 4u;
        if (packet[version_at] >> 4 != 4 || header < least_header_bytes) return IpFault::bad_header;
        return header > packet.size() ? IpFault::too_short : IpFault::none;
    }
    static Ipv4 check(std::span<Byte> packet) { return fault(packet) == IpFault::none ? Ipv4{packet} : Ipv4{}; }
    IpFault length_fault() const {
        if (total_bytes() < header_bytes()) return IpFault::bad_header;
        return total_bytes() > Base::bytes().size() ? IpFault::too_short : IpFault::none;
    }

    // Get
    std::size_t header_bytes() const { return (Base::get8(version_at) & 15u) * 4u; }
    std::size_t total_bytes() const { return Base::get16(length_at); }
    std::uint8_t tos() const { return Base::get8(tos_at); }
    std::uint16_t id() const { return Base::get16(id_at); }
    std::uint16_t fragment() const { return Base::get16(fragment_at); }
    std::size_t fragment_offset() const { return (Base::get16(fragment_at) & 0x1fffu) * 8u; }
    std::uint8_t ttl() const { return Base::get8(ttl_at); }
    IpProtocol protocol() const { return IpProtocol{Base::get8(protocol_at)}; }
    bool is_fragment() const { return (Base::get16(fragment_at) & fragment_bits) != 0; }
    std::uint16_t checksum() const { return Base::get16(checksum_at); }
    std::uint32_t source() const { return Base::get32(source_at); }
    std::uint32_t destination() const { return Base::get32(destination_at); }
    std::span<Byte, address_bytes> source_field() const { return Base::template field<address_bytes>(source_at); }
    std::span<Byte, address_bytes> destination_field() const { return Base::template field<address_bytes>(destination_at); }
    std::span<Byte> header() const { return Base::bytes().first(header_bytes()); }
    bool checksum_holds() const { return wire::checksum(header()) == 0; }
    // What follows the header, padding of the frame included.
    std::span<Byte> rest() const { return Base::after(header_bytes()); }
    // What follows the header up to the packet's own end; for a packet without length_fault().
    std::span<Byte> payload() const { return rest().first(total_bytes() - header_bytes()); }
    // The part that a pseudo header adds to a checksum (RFC 768, RFC 9293 3.1).
    std::uint32_t pseudo_sum(std::size_t bytes) const {
        return wire::sum(Base::bytes().subspan(source_at, 2 * address_bytes)) + Base::get8(protocol_at) + static_cast<std::uint32_t>(bytes);
    }

    // Set. The checksum follows where one word changes; `set_checksum` makes it anew.
    void set_version() const requires Base::writable { *Base::at(version_at) = version_and_words; }
    void set_total_bytes(std::size_t bytes) const requires Base::writable { store16(Base::at(length_at), static_cast<std::uint16_t>(bytes)); }
    void set_fragment(std::uint16_t bits) const requires Base::writable { store16(Base::at(fragment_at), bits); }
    void set_ttl(std::uint8_t ttl) const requires Base::writable {
        const std::uint16_t before = Base::get16(ttl_at);
        *Base::at(ttl_at) = ttl;
        store16(Base::at(checksum_at), updated_checksum(checksum(), before, Base::get16(ttl_at)));
    }
    void set_tos(std::uint8_t tos) const requires Base::writable {
        const std::uint16_t before = Base::get16(version_at);
        *Base::at(tos_at) = tos;
        store16(Base::at(checksum_at), updated_checksum(checksum(), before, Base::get16(version_at)));
    }
    void set_id(std::uint16_t id) const requires Base::writable { store16(Base::at(id_at), id); }
    void set_protocol(IpProtocol protocol) const requires Base::writable { *Base::at(protocol_at) = static_cast<std::uint8_t>(protocol); }
    void set_source(std::uint32_t address) const requires Base::writable { store32(Base::at(source_at), address); }
    void set_destination(std::uint32_t address) const requires Base::writable { store32(Base::at(destination_at), address); }
    void swap_addresses() const requires Base::writable {  // the checksum stays as it is
        swap_bytes(Base::at(source_at), Base::at(destination_at), address_bytes);
    }
    void set_checksum() const requires Base::writable {
        store16(Base::at(checksum_at), 0);
        store16(Base::at(checksum_at), wire::checksum(header()));
    }

    // A fresh header without options over `packet`, which begins with room for it: don't fragment, checksum made.
    static Ipv4 write(std::span<Byte> packet, IpProtocol protocol, std::uint32_t source, std::uint32_t destination, std::uint8_t ttl)
        requires Base::writable
    {
        __builtin_memset(packet.data(), 0, least_header_bytes);
        const Ipv4 ip{packet};
        ip.set_version();
        ip.set_total_bytes(packet.size());
        ip.set_fragment(dont_fragment);
        *ip.at(ttl_at) = ttl;
        ip.set_protocol(protocol);
        ip.set_source(source);
        ip.set_destination(destination);
        ip.set_checksum();
        return ip;
    }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
