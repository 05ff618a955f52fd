// Ethernet frames with a type (IEEE 802.3-2018 3.1.1, 3.2.6).
#pragma once

#include "guest/wire/fields.hpp"

namespace unibpf::wire {

enum class EtherType : std::uint16_t {
    ipv4 = 0x0800,
    arp = 0x0806,
    vlan = 0x8100,
    ipv6 = 0x86dd
};

template <typename Byte>
class Ethernet : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t destination_at = 0, source_at = 6, type_at = 12, header_bytes = 14;
    static constexpr std::size_t address_bytes = 6;

    // Check
    static Ethernet check(std::span<Byte> frame) { return frame.size() < header_bytes ? Ethernet{} : Ethernet{frame}; }

    // Get
    std::span<Byte, address_bytes> destination() const { return Base::template field<address_bytes>(destination_at); }
    std::span<Byte, address_bytes> source() const { return Base::template field<address_bytes>(source_at); }
    EtherType type() const { return EtherType{Base::get16(type_at)}; }
    std::span<Byte> payload() const { return Base::after(header_bytes); }

    // Set
    void set_destination(std::span<const std::uint8_t, address_bytes> address) const requires Base::writable {
        __builtin_memcpy(Base::at(destination_at), address.data(), address_bytes);
    }
    void set_source(std::span<const std::uint8_t, address_bytes> address) const requires Base::writable {
        __builtin_memcpy(Base::at(source_at), address.data(), address_bytes);
    }
    void set_type(EtherType type) const requires Base::writable { store16(Base::at(type_at), static_cast<std::uint16_t>(type)); }
    void swap_addresses() const requires Base::writable { swap_bytes(Base::at(destination_at), Base::at(source_at), address_bytes); }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
