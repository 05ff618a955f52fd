#include <doctest/doctest.h>

#include "guest/wire/ipv4.hpp"
#include "guest/wire/tcp.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {
// A SYN from 40000 to 443 with the option MSS 1460, and "hi".
const Octets segment = packet("9c40 01bb 0102 0304 0506 0708 60 02 faf0 0000 0000 0204 05b4 6869");
}  // namespace

TEST_CASE("a TCP header is read at its places") {
    const auto tcp = wire::view<wire::Tcp>(segment);
    REQUIRE(tcp);
    CHECK(tcp.source() == 40000);
    CHECK(tcp.destination() == 443);
    CHECK(tcp.sequence() == 0x01020304);
    CHECK(tcp.acknowledgement() == 0x05060708);
    CHECK(tcp.header_bytes() == 24);
    CHECK(tcp.flags() == wire::TcpFlags::syn);
    CHECK(tcp.window() == 64240);
    CHECK(octets(tcp.options()) == packet("0204 05b4"));
    CHECK(octets(tcp.payload()) == packet("6869"));
}

TEST_CASE("a TCP checksum covers the pseudo header") {
    const Octets ip_header = packet("4500 002e 0000 4000 4006 0000 0a00 0202 0a00 020f");
    const std::uint32_t pseudo = wire::view<wire::Ipv4>(ip_header).pseudo_sum(26);
    Octets bytes = segment;
    const auto tcp = wire::view<wire::Tcp>(bytes);
    tcp.set_checksum(pseudo);
    std::uint32_t by_hand = 0x0a00 + 0x0202 + 0x0a00 + 0x020f + 6 + 26;
    for (std::size_t i = 0; i < segment.size(); i += 2) by_hand += static_cast<std::uint32_t>(segment[i] << 8 | segment[i + 1]);
    CHECK(tcp.checksum() == static_cast<std::uint16_t>(~(by_hand % 0xffff)));
    CHECK(tcp.checksum_holds(pseudo));
    tcp.set_destination(444);
    CHECK_FALSE(tcp.checksum_holds(pseudo));
}

TEST_CASE("a header length below 20 or beyond the bytes is no TCP header") {
    for (const auto [offset, good] : {std::pair{0x40, false}, {0x50, true}, {0x60, true}, {0x70, false}}) {
        Octets bytes = segment;
        bytes[12] = static_cast<std::uint8_t>(offset);
        CHECK(static_cast<bool>(wire::view<wire::Tcp>(bytes)) == good);
    }
    CHECK_FALSE(wire::view<wire::Tcp>(std::span{segment}.first(19)));
}
