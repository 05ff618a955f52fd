// Which addresses are believed never to be 0.
#include <doctest/doctest.h>

#include "services/verifier/native/state/addresses.hpp"

namespace unibpf::analyser {

TEST_CASE("of what is no address, or only half of one, nothing is believed") {
    for (const Kind kind : {Kind::uninitialised, Kind::mixed, Kind::number}) CHECK(nonzero_offsets(Value{kind}).empty());
    CHECK(nonzero_offsets(Value::pointer(Kind::packet_address, low_half)).empty());
    CHECK(nonzero_offsets(Value::pointer(Kind::packet_address, low_half | from_before)).empty());
}

TEST_CASE("an address where its object begins is never 0") {
    for (auto kind = static_cast<unsigned>(Kind::context); kind <= static_cast<unsigned>(Kind::function); ++kind) {
        CHECK(nonzero_offsets(Value{static_cast<Kind>(kind)}).contains(0));
    }
}

TEST_CASE("one that was moved by 2 GiB and more against the object's place may be") {
    for (auto kind = static_cast<unsigned>(Kind::context); kind <= static_cast<unsigned>(Kind::function); ++kind) {
        const auto offsets = nonzero_offsets(Value{static_cast<Kind>(kind)});
        CHECK_FALSE(offsets.contains(-0x10000));
        CHECK_FALSE(offsets.contains(INT32_MIN));
        CHECK_FALSE(offsets.contains(INT64_MIN));
        CHECK_FALSE(offsets.contains(INT64_MAX));
    }
}

TEST_CASE("handles, sockets and functions are never moved") {
    for (const Kind kind : {Kind::map_handle, Kind::inner_map, Kind::socket, Kind::function}) {
        CHECK_FALSE(nonzero_offsets(Value{kind}).contains(1));
        CHECK_FALSE(nonzero_offsets(Value{kind}).contains(-1));
    }
}

}  // namespace unibpf::analyser
