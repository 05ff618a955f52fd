#include <doctest/doctest.h>

#include "guest/wire/ipv4.hpp"
#include "guest/wire/udp.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {
// 10.0.2.2:40000 to 10.0.2.15:5683, "hello", two bytes of padding.
const Octets ip_header = packet("4500 0021 0000 4000 4011 22bc 0a00 0202 0a00 020f");
const Octets segment = packet("9c40 1633 000d f17d 6865 6c6c 6f 0000");
const std::uint32_t pseudo = wire::view<wire::Ipv4>(ip_header).pseudo_sum(13);
}  // namespace

TEST_CASE("a UDP header is read at its places") {
    const auto udp = wire::view<wire::Udp>(segment);
    REQUIRE(udp);
    CHECK(udp.source() == 40000);
    CHECK(udp.destination() == 5683);
    CHECK(udp.total_bytes() == 13);
    CHECK(udp.length_holds());
    CHECK(octets(udp.payload()) == packet("6865 6c6c 6f"));
}

TEST_CASE("a UDP checksum covers the pseudo header, and zero means none") {
    Octets bytes = segment;
    const auto udp = wire::view<wire::Udp>(bytes);
    udp.set_checksum(pseudo);
    CHECK(udp.checksum_holds(pseudo));
    CHECK_FALSE(udp.checksum_holds(pseudo + 1));
    const std::uint32_t by_hand = 0x0a00 + 0x0202 + 0x0a00 + 0x020f + 0x11 + 0xd + 0x9c40 + 0x1633 + 0xd + 0x6865 + 0x6c6c + 0x6f00;
    CHECK(udp.checksum() == static_cast<std::uint16_t>(~(by_hand % 0xffff)));
    bytes[6] = bytes[7] = 0;
    CHECK(udp.checksum_holds(pseudo + 1));
}

TEST_CASE("a checksum that comes out as zero is sent as all ones") {
    Octets bytes = packet("ffff 0000 0008 0000");
    const auto udp = wire::view<wire::Udp>(bytes);
    udp.set_source(0xfff7);
    udp.set_destination(0);
    udp.set_checksum(0);
    CHECK(bytes == packet("fff7 0000 0008 ffff"));
    CHECK(udp.checksum_holds(0));
}

TEST_CASE("a length below the header's or beyond the bytes does not hold") {
    Octets bytes = segment;
    const auto udp = wire::view<wire::Udp>(bytes);
    for (const auto [length, holds] : {std::pair{7u, false}, {8u, true}, {15u, true}, {16u, false}}) {
        udp.set_total_bytes(length);
        CHECK(udp.length_holds() == holds);
    }
    CHECK_FALSE(wire::view<wire::Udp>(std::span{segment}.first(7)));
}
