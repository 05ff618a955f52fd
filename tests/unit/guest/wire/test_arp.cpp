#include <doctest/doctest.h>

#include "guest/wire/arp.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {
// 10.0.2.2 at 52:54:00:00:00:02 asks who has 10.0.2.15.
const Octets request = packet("0001 0800 06 04 0001 5254 0000 0002 0a00 0202 0000 0000 0000 0a00 020f");
}  // namespace

TEST_CASE("an ARP request is read at its places") {
    const auto arp = wire::view<wire::Arp>(request);
    REQUIRE(arp);
    CHECK(arp.is_ipv4_over_ethernet());
    CHECK(arp.operation() == wire::ArpOperation::request);
    CHECK(octets(arp.sender_ether()) == packet("5254 0000 0002"));
    CHECK(octets(arp.sender_ip()) == packet("0a00 0202"));
    CHECK(octets(arp.target_ether()) == packet("0000 0000 0000"));
    CHECK(octets(arp.target_ip()) == packet("0a00 020f"));
}

TEST_CASE("an ARP reply is written at its places") {
    Octets bytes(28);
    const auto arp = wire::view<wire::Arp>(bytes);
    arp.set_kinds();
    arp.set_operation(wire::ArpOperation::reply);
    arp.set_sender_ether(std::array<std::uint8_t, 6>{0x52, 0x54, 0, 0, 0, 1});
    arp.set_target_ether(std::array<std::uint8_t, 6>{0x52, 0x54, 0, 0, 0, 2});
    arp.set_sender_ip(0x0a000202);
    arp.set_target_ip(0x0a00020f);
    arp.swap_ips();
    CHECK(bytes == packet("0001 0800 06 04 0002 5254 0000 0001 0a00 020f 5254 0000 0002 0a00 0202"));
}

TEST_CASE("addresses of other kinds are told apart") {
    for (const std::size_t place : {1u, 3u, 4u, 5u}) {
        Octets bytes = request;
        bytes[place] ^= 8;
        CHECK_FALSE(wire::view<wire::Arp>(bytes).is_ipv4_over_ethernet());
    }
    CHECK_FALSE(wire::view<wire::Arp>(std::span{request}.first(27)));
}
