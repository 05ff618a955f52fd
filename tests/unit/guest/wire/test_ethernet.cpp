#include <doctest/doctest.h>

#include "guest/wire/ethernet.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

TEST_CASE("an Ethernet header is read and written at its places") {
    Octets bytes = packet("0200 0000 0001 0200 0000 0002 0806 abcd");
    const auto frame = wire::view<wire::Ethernet>(bytes);
    REQUIRE(frame);
    CHECK(octets(frame.destination()) == packet("0200 0000 0001"));
    CHECK(octets(frame.source()) == packet("0200 0000 0002"));
    CHECK(frame.type() == wire::EtherType::arp);
    CHECK(octets(frame.payload()) == packet("abcd"));
    frame.swap_addresses();
    frame.set_type(wire::EtherType::ipv6);
    CHECK(bytes == packet("0200 0000 0002 0200 0000 0001 86dd abcd"));
    frame.set_destination(std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, 6});
    frame.set_source(std::array<std::uint8_t, 6>{7, 8, 9, 10, 11, 12});
    CHECK(bytes == packet("0102 0304 0506 0708 090a 0b0c 86dd abcd"));
}

TEST_CASE("a frame of 14 bytes is a header without a payload, one of 13 is no frame") {
    const Octets bytes(14);
    CHECK(wire::view<wire::Ethernet>(bytes).payload().empty());
    CHECK_FALSE(wire::view<wire::Ethernet>(std::span{bytes}.first(13)));
    CHECK_FALSE(wire::view<wire::Ethernet>(std::span<const std::uint8_t>{}));
}
