// What is no part of a state, one kind of knowledge at a time: everything else is the same on both sides.
#include <doctest/doctest.h>

#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {
namespace {

State entry() { return State::entry(Platform::guest); }

Value packet_at(const Value& term) {
    Value value = term;
    value.kind = Kind::packet;
    return value;
}

State with(const Value& two, const Value& three) {
    State state = entry();
    state.registers[2] = two;
    state.registers[3] = three;
    return state;
}

State with_callback(std::uint64_t limit) {
    State state = entry();
    state.callbacks.push_back({Value::constant(limit), Value::constant(0), Value::constant(0), false});
    return state;
}

State with_cell(std::uint64_t number) {
    State state = entry();
    state.frames[0].store(504, 8, Value::constant(number));
    return state;
}

Value in_a_value(Site name) { return Value{Kind::map_value, name, 1}; }

// What is left of the packet beyond an offset, which nothing else names.
State with_remainder(const Scalar& known) {
    State state = entry();
    const Value offset = state.number(Scalar::unsigned_range(0, 100));
    state.registers[2] = packet_at(offset);
    const Number left = state.distance(packet_at(Value::number(packet_size)), packet_at(offset));
    REQUIRE(state.narrow(left.term(), known));
    return state;
}

Scalar multiple_of_8() {
    Scalar scalar;
    scalar.bits = {0, ~std::uint64_t{7}};
    scalar.normalise();
    return scalar;
}

}  // namespace

TEST_CASE("a register of another value is not contained, whatever the rest is") {
    CHECK_FALSE(leq(with(Value::constant(5), {}), with(Value::constant(7), {})));
    CHECK_FALSE(leq(with({}, {}), with(Value::constant(7), {})));
    CHECK(leq(with(Value::constant(7), {}), with({}, {})));
}

TEST_CASE("a cell of the stack that has another value, or is missing, is not contained") {
    CHECK(leq(with_cell(5), with_cell(5)));
    CHECK_FALSE(leq(with_cell(5), with_cell(7)));
    State bytes = entry();
    bytes.frames[0].fill(504, 8);
    CHECK_FALSE(leq(bytes, with_cell(7)));
    CHECK(leq(with_cell(7), bytes));
}

TEST_CASE("a call that calls back more often is not contained") {
    CHECK(leq(with_callback(3), with_callback(3)));
    CHECK_FALSE(leq(with_callback(5), with_callback(3)));
}

TEST_CASE("two names for what has one name are not contained, one name for it is") {
    const State same = with(in_a_value(joined_names + 1), in_a_value(joined_names + 1));
    CHECK(leq(with(in_a_value(5), in_a_value(5)), same));
    CHECK_FALSE(leq(with(in_a_value(5), in_a_value(6)), same));
    CHECK_FALSE(leq(with(in_a_value(5), in_a_value(no_site)), same));
}

TEST_CASE("a whole address is among halves of the same packet, and no half among whole ones") {
    for (const std::uint64_t packet : {std::uint64_t{0}, from_before}) {
        const std::uint64_t half = packet | low_half, other = packet ^ from_before;
        const auto at = [](std::uint64_t form) { return with(Value::pointer(Kind::packet_address, form, 14), {}); };
        CHECK(leq(at(packet), at(half)));
        CHECK(leq(at(half), at(half)));
        CHECK_FALSE(leq(at(half), at(packet)));
        for (const std::uint64_t form : {packet, half}) {
            CHECK_FALSE(leq(at(form), at(other)));
            CHECK_FALSE(leq(at(form), at(other | low_half)));
        }
    }
}

TEST_CASE("what is known of the rest of the packet has to hold of it") {
    CHECK(leq(with_remainder(multiple_of_8()), with_remainder(Scalar::top())));
    CHECK(leq(with_remainder(multiple_of_8()), with_remainder(multiple_of_8())));
    CHECK_FALSE(leq(with_remainder(Scalar::top()), with_remainder(multiple_of_8())));
}

}  // namespace unibpf::analyser
