#include <doctest/doctest.h>

#include "guest/wire/ipv6.hpp"
#include "guest/wire/udp.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {
// fe80::1 to fe80::2, traffic class 0x12, flow label 0x34567, hop limit 64: UDP from 1000 to 2000, "hi", one byte of padding.
const Octets whole = packet(
    "6123 4567 000a 11 40 fe80 0000 0000 0000 0000 0000 0000 0001 fe80 0000 0000 0000 0000 0000 0000 0002"
    "03e8 07d0 000a 8eb4 6869 00");
}  // namespace

TEST_CASE("an IPv6 header is read at its places") {
    const auto ip = wire::view<wire::Ipv6>(whole);
    REQUIRE(ip);
    CHECK(ip.traffic_class() == 0x12);
    CHECK(ip.flow_label() == 0x34567);
    CHECK(ip.payload_bytes() == 10);
    CHECK(ip.length_holds());
    CHECK(ip.next_header() == wire::IpProtocol::udp);
    CHECK(ip.hop_limit() == 64);
    CHECK(ip.source().back() == 1);
    CHECK(ip.destination().back() == 2);
    CHECK(octets(ip.payload()) == packet("03e8 07d0 000a 8eb4 6869"));
}

TEST_CASE("the pseudo header of RFC 8200 makes UDP's checksum hold") {
    const auto ip = wire::view<wire::Ipv6>(whole);
    const auto udp = wire::view<wire::Udp>(ip.payload());
    CHECK(wire::fold(ip.pseudo_sum(wire::IpProtocol::udp, 10)) == wire::fold(0xfe80 + 1 + 0xfe80 + 2 + 0x11 + 0xa));
    Octets bytes = octets(ip.payload());
    wire::view<wire::Udp>(bytes).set_checksum(ip.pseudo_sum(wire::IpProtocol::udp, 10));
    CHECK(bytes == octets(udp.bytes()));
    CHECK(udp.checksum_holds(ip.pseudo_sum(wire::IpProtocol::udp, 10)));
}

TEST_CASE("an IPv6 header is changed at its places") {
    Octets bytes = whole;
    const auto ip = wire::view<wire::Ipv6>(bytes);
    ip.set_hop_limit(63);
    ip.set_payload_bytes(12);
    ip.swap_addresses();
    CHECK(octets(std::span{bytes}.first(8)) == packet("6123 4567 000c 11 3f"));
    CHECK(ip.source().back() == 2);
    CHECK_FALSE(ip.length_holds());
}

TEST_CASE("another version and 39 bytes are no IPv6 header") {
    Octets bytes = whole;
    bytes[0] = 0x41;
    CHECK_FALSE(wire::view<wire::Ipv6>(bytes));
    CHECK_FALSE(wire::view<wire::Ipv6>(std::span{whole}.first(39)));
}
