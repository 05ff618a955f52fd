// The stack frame: what is stored comes back, and nothing else is trusted.
#include <doctest/doctest.h>

#include "services/verifier/native/state/stack.hpp"

namespace unibpf::analyser {
namespace {

const Value pointer = Value::pointer(Kind::packet, 0, 14);

}  // namespace

TEST_CASE("an address comes back only whole") {
    Frame frame;
    frame.store(504, 8, pointer);
    REQUIRE(frame.cell_at(504, 8) != nullptr);
    CHECK(*frame.cell_at(504, 8) == pointer);
    CHECK(frame.cell_at(504, 4) == nullptr);
    CHECK_FALSE(frame.is_data(504, 4));
    CHECK(frame.is_written(504, 8));
}

TEST_CASE("overwriting part of an address leaves the rest unreadable") {
    Frame frame;
    frame.store(504, 8, pointer);
    frame.store(504, 4, Value::constant(7));
    CHECK(frame.cell_at(504, 8) == nullptr);
    CHECK(frame.is_data(504, 4));
    CHECK_FALSE(frame.is_data(508, 1));
    CHECK_FALSE(frame.is_written(508, 1));
}

TEST_CASE("parts of a constant are constants") {
    Frame frame;
    frame.store(496, 8, Value::constant(0x1122334455667788));
    CHECK(frame.constant_at(496, 4) == 0x55667788);
    CHECK(frame.constant_at(503, 1) == 0x11);
    CHECK(frame.constant_at(500, 8) == std::nullopt);
}

TEST_CASE("a store at an unknown place forgets values but keeps numbers readable") {
    Frame frame;
    frame.store(496, 8, Value::constant(1));
    frame.store(504, 8, pointer);
    frame.smear(496, 504, 8);
    CHECK(frame.cell_at(496, 8) == nullptr);
    CHECK(frame.is_data(496, 8));
    CHECK_FALSE(frame.is_data(504, 8));
}

}  // namespace unibpf::analyser
