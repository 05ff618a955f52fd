#include <doctest/doctest.h>

#include "guest/wire/checksum.hpp"
#include "tests/unit/guest/wire/packets.hpp"

using namespace unibpf;
using namespace unibpf::test;

TEST_CASE("the sum of RFC 1071's example is as the RFC computes it") {
    const Octets example = packet("0001 f203 f4f5 f6f7");  // section 3: 2ddf0, folded ddf2
    CHECK(wire::sum(example) == 0xddf2);
    CHECK(wire::checksum(example) == 0x220d);
}

TEST_CASE("an odd last byte counts as the high half of a word") {
    CHECK(wire::sum(packet("0001 f2")) == 0xf201);
    CHECK(wire::sum(packet("0001 f203 f4f5 f6")) == wire::sum(packet("0001 f203 f4f5 f600")));
}

TEST_CASE("nothing and zeroes sum to zero, and a sum of all ones stays all ones") {
    CHECK(wire::sum({}) == 0);
    CHECK(wire::sum(packet("0000 0000 00")) == 0);
    CHECK(wire::sum(packet("ffff")) == 0xffff);
    CHECK(wire::sum(packet("8000 7fff")) == 0xffff);
}

TEST_CASE("a start that is not folded adds as its folded sum does") {
    const Octets bytes = packet("1234 5678");
    CHECK(wire::checksum(bytes, 0x1'2345) == wire::checksum(bytes, 0x2346));
}

TEST_CASE("an updated checksum is the one that a new sum gives") {
    // RFC 1624, section 4: the header's sum without the changed word is cd7a; m 5555 becomes m' 3285.
    CHECK(wire::updated_checksum(0xdd2f, 0x5555, 0x3285) == 0x0000);
    Octets bytes = packet("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
    const std::uint16_t before = wire::checksum(bytes);
    CHECK(before == 0xb861);
    bytes[8] = 0x3f;
    CHECK(wire::updated_checksum(before, 0x4011, 0x3f11) == wire::checksum(bytes));
}
