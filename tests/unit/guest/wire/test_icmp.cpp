#include <doctest/doctest.h>

#include "guest/wire/icmp.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {
const Octets echo = packet("08 00 5435 1234 0001 6162 6364 6566 6768");  // identifier 1234, sequence 1, "abcdefgh"
}  // namespace

TEST_CASE("an echo request is read at its places") {
    const auto icmp = wire::view<wire::Icmp>(echo);
    REQUIRE(icmp);
    CHECK(icmp.type() == wire::IcmpType::echo_request);
    CHECK(icmp.code() == 0);
    CHECK(icmp.checksum() == 0x5435);
    CHECK(icmp.checksum_holds());
    CHECK(octets(icmp.payload()) == packet("6162 6364 6566 6768"));
}

TEST_CASE("a change of the type keeps a right checksum right and a wrong one wrong") {
    for (const std::uint8_t error : {0, 1}) {
        Octets bytes = echo;
        bytes[3] ^= error;
        const auto icmp = wire::view<wire::Icmp>(bytes);
        icmp.set_type(wire::IcmpType::echo_reply);
        CHECK(bytes[0] == 0);
        CHECK(icmp.checksum_holds() == (error == 0));
        icmp.set_checksum();
        CHECK(icmp.checksum() == 0x5c35);
    }
}

TEST_CASE("7 bytes are no ICMP message") { CHECK_FALSE(wire::view<wire::Icmp>(std::span{echo}.first(7))); }
