// TCP (RFC 9293 3.1).
#pragma once

#include "guest/wire/checksum.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf::wire {

struct TcpFlags {
    static constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32, ece = 64, cwr = 128;
};

template <typename Byte>
class Tcp : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t source_at = 0, destination_at = 2, sequence_at = 4, acknowledgement_at = 8, offset_at = 12;
    static constexpr std::size_t flags_at = 13, window_at = 14, checksum_at = 16, urgent_at = 18, least_header_bytes = 20;

    // Check: the header with its options is whole.
    static Tcp check(std::span<Byte> segment) {
        if (segment.size() < least_header_bytes) return {};
        const std::size_t header = (segment[offset_at] >> 4) * std::size_t{4};
        return header < least_header_bytes || header > segment.size() ? Tcp{} : Tcp{segment};
    }

    // Get
    std::uint16_t source() const { return Base::get16(source_at); }
    std::uint16_t destination() const { return Base::get16(destination_at); }
    std::uint32_t sequence() const { return Base::get32(sequence_at); }
    std::uint32_t acknowledgement() const { return Base::get32(acknowledgement_at); }
    std::size_t header_bytes() const { return (Base::get8(offset_at) >> 4) * std::size_t{4}; }
    std::uint8_t flags() const { return Base::get8(flags_at); }
    std::uint16_t window() const { return Base::get16(window_at); }
    std::uint16_t checksum() const { return Base::get16(checksum_at); }
    std::span<Byte> options() const { return Base::bytes().subspan(least_header_bytes, header_bytes() - least_header_bytes); }
    std::span<Byte> payload() const { return Base::after(header_bytes()); }
    // `pseudo_sum`: of the IP header before it; the segment is all of the view's bytes.
    bool checksum_holds(std::uint32_t pseudo_sum) const { return wire::checksum(Base::bytes(), pseudo_sum) == 0; }

    // Set
    void set_source(std::uint16_t port) const requires Base::writable { store16(Base::at(source_at), port); }
    void set_destination(std::uint16_t port) const requires Base::writable { store16(Base::at(destination_at), port); }
    void set_checksum(std::uint32_t pseudo_sum) const requires Base::writable {
        store16(Base::at(checksum_at), 0);
        store16(Base::at(checksum_at), wire::checksum(Base::bytes(), pseudo_sum));
    }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
