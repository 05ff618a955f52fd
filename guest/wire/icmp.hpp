// ICMP (RFC 792).
#pragma once

#include "guest/wire/checksum.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf::wire {

enum class IcmpType : std::uint8_t {
    echo_reply = 0,
    unreachable = 3,
    echo_request = 8,
    time_exceeded = 11
};

template <typename Byte>
class Icmp : public Fields<Byte> {
    using Base = Fields<Byte>;

  public:
    // Fields
    static constexpr std::size_t type_at = 0, code_at = 1, checksum_at = 2, header_bytes = 8;

    // Check
    static Icmp check(std::span<Byte> message) { return message.size() < header_bytes ? Icmp{} : Icmp{message}; }

    // Get
    IcmpType type() const { return IcmpType{Base::get8(type_at)}; }
    std::uint8_t code() const { return Base::get8(code_at); }
    std::uint16_t checksum() const { return Base::get16(checksum_at); }
    std::span<Byte> payload() const { return Base::after(header_bytes); }
    bool checksum_holds() const { return wire::checksum(Base::bytes()) == 0; }  // over all of the view's bytes

    // Set. The checksum follows the type; `set_checksum` makes it anew.
    void set_type(IcmpType type) const requires Base::writable {
        const std::uint16_t before = Base::get16(type_at);
        *Base::at(type_at) = static_cast<std::uint8_t>(type);
        store16(Base::at(checksum_at), updated_checksum(checksum(), before, Base::get16(type_at)));
    }
    void set_checksum() const requires Base::writable {
        store16(Base::at(checksum_at), 0);
        store16(Base::at(checksum_at), wire::checksum(Base::bytes()));
    }

  private:
    using Base::Base;
};

}  // namespace unibpf::wire
