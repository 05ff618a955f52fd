#include <doctest/doctest.h>

#include "guest/wire/ipv4.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

using Fault = wire::IpFault;
// 10.0.2.2 to 10.0.2.15, ICMP, TTL 64, don't fragment, 4 bytes of content and 2 of padding.
const Octets whole = packet("4500 0018 0000 4000 4001 22d5 0a00 0202 0a00 020f 0800 abcd 0000");

Fault fault_with(std::size_t at, std::uint8_t value) {
    Octets bytes = whole;
    bytes[at] = value;
    return wire::Ipv4<const std::uint8_t>::fault(bytes);
}

}  // namespace

TEST_CASE("an IPv4 header is read at its places") {
    const auto ip = wire::view<wire::Ipv4>(whole);
    REQUIRE(ip);
    CHECK(ip.header_bytes() == 20);
    CHECK(ip.total_bytes() == 24);
    CHECK(ip.ttl() == 64);
    CHECK(ip.protocol() == wire::IpProtocol::icmp);
    CHECK_FALSE(ip.is_fragment());
    CHECK(ip.source() == 0x0a000202);
    CHECK(ip.destination() == 0x0a00020f);
    CHECK(octets(ip.source_field()) == packet("0a00 0202"));
    CHECK(ip.checksum() == 0x22d5);
    CHECK(ip.checksum_holds());
    CHECK(octets(ip.payload()) == packet("0800 abcd"));
    CHECK(octets(ip.rest()) == packet("0800 abcd 0000"));
    CHECK(ip.pseudo_sum(4) == 0x0a00 + 0x0202 + 0x0a00 + 0x020f + 1 + 4);
}

TEST_CASE("options belong to the header") {
    const Octets bytes = packet("4600 001a 0000 4000 4001 0000 0a00 0202 0a00 020f 0101 0100 abcd");
    const auto ip = wire::view<wire::Ipv4>(bytes);
    CHECK(ip.header_bytes() == 24);
    CHECK(octets(ip.payload()) == packet("abcd"));
}

TEST_CASE("what is wrong with a header has a name") {
    CHECK(fault_with(0, 0x45) == Fault::none);
    CHECK(fault_with(0, 0x65) == Fault::bad_header);  // version
    CHECK(fault_with(0, 0x44) == Fault::bad_header);  // header length
    CHECK(fault_with(0, 0x4f) == Fault::too_short);   // options that are not there
    CHECK(wire::Ipv4<const std::uint8_t>::fault(std::span{whole}.first(19)) == Fault::too_short);
    CHECK_FALSE(wire::view<wire::Ipv4>(std::span{whole}.first(19)));
}

TEST_CASE("what is wrong with a packet's length has a name") {
    const auto length_fault = [](std::uint8_t length) {
        Octets bytes = whole;
        bytes[3] = length;
        return wire::view<wire::Ipv4>(bytes).length_fault();
    };
    CHECK(length_fault(26) == Fault::none);
    CHECK(length_fault(27) == Fault::too_short);
    CHECK(length_fault(19) == Fault::bad_header);
}

TEST_CASE("a change of the TTL keeps a right checksum right and a wrong one wrong") {
    for (const std::uint8_t error : {0, 1}) {
        Octets bytes = whole;
        bytes[11] ^= error;
        const auto ip = wire::view<wire::Ipv4>(bytes);
        ip.set_ttl(255);
        CHECK(ip.checksum_holds() == (error == 0));
        ip.swap_addresses();
        CHECK(ip.checksum_holds() == (error == 0));
        CHECK(ip.source() == 0x0a00020f);
    }
}

TEST_CASE("a written header is the literal one") {
    Octets bytes = whole;
    std::fill_n(bytes.begin(), 20, std::uint8_t{0xee});
    wire::Ipv4<std::uint8_t>::write(std::span{bytes}.first(24), wire::IpProtocol::icmp, 0x0a000202, 0x0a00020f, 64);
    CHECK(bytes == whole);
}

TEST_CASE("more fragments and an offset make a fragment, don't-fragment does not") {
    Octets bytes = whole;
    const auto ip = wire::view<wire::Ipv4>(bytes);
    for (const auto [bits, fragment] : {std::pair{0x4000, false}, {0x2000, true}, {0x0001, true}, {0x1fff, true}}) {
        ip.set_fragment(static_cast<std::uint16_t>(bits));
        CHECK(ip.is_fragment() == fragment);
    }
}
