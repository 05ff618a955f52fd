// UDP (RFC 768).
#pragma once

#include "guest/wire/checksum.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf::wire {

template <typename Byte>
class Udp : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t source_at = 0, destination_at = 2, length_at = 4, checksum_at = 6, header_bytes = 8;

    // Check: the header is whole. `length_holds` says the same of the datagram.
    static Udp check(std::span<Byte> segment) { return segment.size() < header_bytes ? Udp{} : Udp{segment}; }
    bool length_holds() const { return total_bytes() >= header_bytes && total_bytes() <= Base::bytes().size(); }

    // Get
    std::uint16_t source() const { return Base::get16(source_at); }
    std::uint16_t destination() const { return Base::get16(destination_at); }
    std::size_t total_bytes() const { return Base::get16(length_at); }
    std::uint16_t checksum() const { return Base::get16(checksum_at); }
    // For a datagram whose length holds.
    std::span<Byte> datagram() const { return Base::bytes().first(total_bytes()); }
    std::span<Byte> payload() const { return datagram().subspan(header_bytes); }
    // All zero means that there is none. `pseudo_sum`: of the IP header before it.
    bool checksum_holds(std::uint32_t pseudo_sum) const { return checksum() == 0 || wire::checksum(datagram(), pseudo_sum) == 0; }

    // Set
    void set_source(std::uint16_t port) const requires Base::writable { store16(Base::at(source_at), port); }
    void set_destination(std::uint16_t port) const requires Base::writable { store16(Base::at(destination_at), port); }
    void set_total_bytes(std::size_t bytes) const requires Base::writable { store16(Base::at(length_at), static_cast<std::uint16_t>(bytes)); }
    void set_checksum(std::uint32_t pseudo_sum) const requires Base::writable {
        store16(Base::at(checksum_at), 0);
        const std::uint16_t sum = wire::checksum(datagram(), pseudo_sum);
        store16(Base::at(checksum_at), sum == 0 ? 0xffff : sum);  // zero is sent as all ones
    }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
