// What is taken for granted of instructions that may be wrong: every execution in which they are right.
#include <doctest/doctest.h>

#include "services/verifier/native/effects/transformer.hpp"

namespace unibpf::analyser {
namespace {

const Program program{};
const Options options{};
const Setting setting{program, options, 1, 0};

State with_constant_on_the_stack() {
    State state = State::entry(Platform::guest);
    state.frames[0].store(504, 8, Value::constant(7));
    return state;
}

}  // namespace

TEST_CASE("a store through a register that some path has not written may have gone to the stack") {
    for (const Kind kind : {Kind::uninitialised, Kind::mixed, Kind::stack}) {
        State state = with_constant_on_the_stack();
        state.registers[2] = Value{kind};
        REQUIRE(apply_assumed(state, Store{2, 0, 8, {false, 0, 1}}, setting));
        CHECK(state.frames[0].cell_at(504, 8) == nullptr);
        CHECK_FALSE(state.frames[0].is_data(504, 8));
    }
}

TEST_CASE("a store through what is no address of the stack on any path leaves the stack alone") {
    for (const Kind kind : {Kind::number, Kind::packet, Kind::map_value, Kind::context}) {
        State state = with_constant_on_the_stack();
        state.registers[2] = Value{kind};
        REQUIRE(apply_assumed(state, Store{2, 0, 8, {false, 0, 1}}, setting));
        CHECK(state.frames[0].cell_at(504, 8) != nullptr);
    }
}

TEST_CASE("what is loaded from the stack, the context or nobody knows where may be an address") {
    for (const Kind kind : {Kind::uninitialised, Kind::mixed, Kind::stack, Kind::context}) {
        State state = with_constant_on_the_stack();
        state.registers[2] = Value{kind};
        REQUIRE(apply_assumed(state, Load{3, 2, 0, 8, false}, setting));
        CHECK(state.registers[3].kind == Kind::mixed);
    }
}

TEST_CASE("an exit whose result is not known to be a number goes on where it is one") {
    State state = with_constant_on_the_stack();
    state.registers[0] = Value{Kind::mixed};
    CHECK(apply_assumed(state, Exit{}, setting));
}

TEST_CASE("nothing goes on from what is wrong in every execution") {
    State state = with_constant_on_the_stack();
    CHECK_FALSE(apply_assumed(state, LoadNumber{frame_register, 1}, setting));
    CHECK_FALSE(apply_assumed(state, CallHelper{9999}, setting));
}

TEST_CASE("a complement to which something else is added than an address of the packet is nothing that is known") {
    State state = State::entry(Platform::guest);
    state.registers[2] = Value::pointer(Kind::packet);
    for (const Value& other : {Value::constant(7), Value::pointer(Kind::stack), Value::pointer(Kind::map_value, 1)}) {
        state.registers[3] = state.complement(state.registers[2]);
        state.registers[4] = other;
        apply(state, Compute{Alu::add, 64, 3, {true, 4, 0}}, setting);
        CHECK(state.registers[3].kind == Kind::mixed);
    }
}

TEST_CASE("halves of two addresses compare as offsets do only where both are their own halves") {
    for (const bool is_short : {false, true}) {
        State state = State::entry(Platform::guest);
        state.registers[2] = Value::pointer(Kind::packet);
        Value far = state.number(Scalar::unsigned_range(0, is_short ? 0 : std::uint64_t{1} << 34));
        far.kind = Kind::packet;
        state.registers[3] = is_short ? Value::number(packet_size).moved(0) : far;
        state.registers[3].kind = Kind::packet;
        REQUIRE(follow(state, Branch{Condition::gt, 32, 3, {true, 2, 0}, 0}, true, options));
        CHECK((state.range(state.registers[3]).low > 0) == is_short);
    }
}

}  // namespace unibpf::analyser
