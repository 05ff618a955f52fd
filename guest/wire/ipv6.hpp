// IPv6 (RFC 8200 3).
#pragma once

#include "guest/wire/ipv4.hpp"

namespace unibpf::wire {

template <typename Byte>
class Ipv6 : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t version_at = 0, length_at = 4, next_header_at = 6, hop_limit_at = 7;
    static constexpr std::size_t source_at = 8, destination_at = 24, header_bytes = 40, address_bytes = 16;

    // Check: the fixed header is whole; extension headers are the payload's.
    static Ipv6 check(std::span<Byte> packet) {
        return packet.size() < header_bytes || packet[version_at] >> 4 != 6 ? Ipv6{} : Ipv6{packet};
    }
    bool length_holds() const { return payload_bytes() <= Base::bytes().size() - header_bytes; }

    // Get
    std::uint8_t traffic_class() const { return static_cast<std::uint8_t>(Base::get16(version_at) >> 4); }
    std::uint32_t flow_label() const { return Base::get32(version_at) & 0xf'ffff; }
    std::size_t payload_bytes() const { return Base::get16(length_at); }
    IpProtocol next_header() const { return IpProtocol{Base::get8(next_header_at)}; }
    std::uint8_t hop_limit() const { return Base::get8(hop_limit_at); }
    std::span<Byte, address_bytes> source() const { return Base::template field<address_bytes>(source_at); }
    std::span<Byte, address_bytes> destination() const { return Base::template field<address_bytes>(destination_at); }
    // For a packet whose length holds.
    std::span<Byte> payload() const { return Base::after(header_bytes).first(payload_bytes()); }
    // The part that a pseudo header adds to a checksum (8.1): of `bytes` of `protocol`, which extension headers may precede.
    std::uint32_t pseudo_sum(IpProtocol protocol, std::size_t bytes) const {
        return wire::sum(Base::bytes().subspan(source_at, 2 * address_bytes)) + static_cast<std::uint32_t>(protocol) +
               fold(static_cast<std::uint32_t>(bytes));
    }

    // Set
    void set_payload_bytes(std::size_t bytes) const requires Base::writable { store16(Base::at(length_at), static_cast<std::uint16_t>(bytes)); }
    void set_hop_limit(std::uint8_t hops) const requires Base::writable { *Base::at(hop_limit_at) = hops; }
    void swap_addresses() const requires Base::writable { swap_bytes(Base::at(source_at), Base::at(destination_at), address_bytes); }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
