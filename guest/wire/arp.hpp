// ARP for IPv4 over Ethernet (RFC 826).
#pragma once

#include "guest/wire/ethernet.hpp"

namespace unibpf::wire {

enum class ArpOperation : std::uint16_t {
    request = 1,
    reply = 2
};

template <typename Byte>
class Arp : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t hardware_at = 0, protocol_at = 2, sizes_at = 4, operation_at = 6;
    static constexpr std::size_t sender_ether_at = 8, sender_ip_at = 14, target_ether_at = 18, target_ip_at = 24, header_bytes = 28;
    static constexpr std::size_t ether_bytes = 6, ip_bytes = 4;
    static constexpr std::uint16_t ethernet = 1, sizes = ether_bytes << 8 | ip_bytes;

    // Check
    static Arp check(std::span<Byte> packet) { return packet.size() < header_bytes ? Arp{} : Arp{packet}; }
    // Addresses of another kind stand at other places: then no other getter means anything.
    bool is_ipv4_over_ethernet() const {
        return Base::get16(hardware_at) == ethernet && EtherType{Base::get16(protocol_at)} == EtherType::ipv4 && Base::get16(sizes_at) == sizes;
    }

    // Get
    ArpOperation operation() const { return ArpOperation{Base::get16(operation_at)}; }
    std::span<Byte, ether_bytes> sender_ether() const { return Base::template field<ether_bytes>(sender_ether_at); }
    std::span<Byte, ether_bytes> target_ether() const { return Base::template field<ether_bytes>(target_ether_at); }
    std::span<Byte, ip_bytes> sender_ip() const { return Base::template field<ip_bytes>(sender_ip_at); }
    std::span<Byte, ip_bytes> target_ip() const { return Base::template field<ip_bytes>(target_ip_at); }

    // Set
    void set_kinds() const requires Base::writable {
        store16(Base::at(hardware_at), ethernet);
        store16(Base::at(protocol_at), static_cast<std::uint16_t>(EtherType::ipv4));
        store16(Base::at(sizes_at), sizes);
    }
    void set_operation(ArpOperation operation) const requires Base::writable {
        store16(Base::at(operation_at), static_cast<std::uint16_t>(operation));
    }
    void set_sender_ether(std::span<const std::uint8_t, ether_bytes> address) const requires Base::writable {
        __builtin_memcpy(Base::at(sender_ether_at), address.data(), ether_bytes);
    }
    void set_target_ether(std::span<const std::uint8_t, ether_bytes> address) const requires Base::writable {
        __builtin_memcpy(Base::at(target_ether_at), address.data(), ether_bytes);
    }
    void set_sender_ip(std::uint32_t address) const requires Base::writable { store32(Base::at(sender_ip_at), address); }
    void set_target_ip(std::uint32_t address) const requires Base::writable { store32(Base::at(target_ip_at), address); }
    void swap_ips() const requires Base::writable { swap_bytes(Base::at(sender_ip_at), Base::at(target_ip_at), ip_bytes); }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
