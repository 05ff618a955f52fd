// Lattice laws of whole states, and the relations that programs rely on.
#include <doctest/doctest.h>

#include "services/verifier/native/state/state.hpp"
#include "tests/unit/services/verifier/native/domains/generator.hpp"

namespace unibpf::analyser {
namespace {

Value packet_at(const Value& term) {
    Value value = term;
    value.kind = Kind::packet;
    return value;
}

// A state grown by random moves, sums, tests and spills.
State grown(Generator& generator) {
    State state = State::entry(Platform::guest);
    state.registers[0] = Value::constant(generator.below(4));
    for (int step = 0; step < 12; ++step) {
        const auto a = generator.below(6), b = generator.below(6);
        Value &x = state.registers[a], &y = state.registers[b];
        switch (generator.below(7)) {
            case 0: x = Value::constant(generator.below(64)); break;
            case 1: x = state.number(Scalar::unsigned_range(0, generator.below(200))); break;
            case 2: if (y.is_readable()) x = y; break;
            case 3: if (x.is_number() && y.is_number()) x = state.add(x, y); break;
            case 4: if (x.is_number() && y.is_number()) x = state.subtract(x, y); break;
            case 5: x = packet_at(Value::number(packet_size, -static_cast<std::int64_t>(generator.below(20)))); break;
            default: if (y.is_readable()) state.frames[0].store(static_cast<unsigned>(480 + 8 * generator.below(4)), 8, y); break;
        }
    }
    return state;
}

}  // namespace

TEST_CASE("join is above both states, and containment is reflexive") {
    Generator generator{21};
    for (int i = 0; i < 3000; ++i) {
        State a = grown(generator), b = grown(generator);
        a.compact();
        b.compact();
        REQUIRE(leq(a, a));
        const State joined = join(a, b);
        REQUIRE(leq(a, joined));
        REQUIRE(leq(b, joined));
    }
}

TEST_CASE("widening is above both states and stabilises any chain") {
    Generator generator{22};
    const std::vector<std::int64_t> thresholds{-1, 0, 1, 64, 1500};
    for (int i = 0; i < 300; ++i) {
        State invariant = grown(generator);
        invariant.compact();
        int changes = 0;
        for (int k = 0; k < 200; ++k) {
            State next = grown(generator);
            next.compact();
            if (leq(next, invariant)) continue;
            State wider = join(invariant, next, {true, false, k < 8 ? &thresholds : nullptr});
            REQUIRE(leq(next, wider));
            REQUIRE(leq(invariant, wider));
            invariant = std::move(wider);
            ++changes;
        }
        REQUIRE(changes < 80);
    }
}

TEST_CASE("compacting changes nothing that can be asked") {
    Generator generator{23};
    for (int i = 0; i < 2000; ++i) {
        const State before = grown(generator);
        State after = before;
        after.compact();
        for (unsigned r = 0; r < register_count; ++r) {
            REQUIRE(before.registers[r].kind == after.registers[r].kind);
            REQUIRE(before.scalar(before.registers[r]) == after.scalar(after.registers[r]));
        }
    }
}

TEST_CASE("a test of end - data bounds the packet") {
    State state = State::entry(Platform::guest);
    const Value length = state.subtract(Value::number(packet_size), Value::constant(0));
    REQUIRE(state.assume(Condition::lt, 64, false, length, Value::constant(34)));
    CHECK(state.range(Value::number(packet_size)).low == 34);
}

TEST_CASE("a test of the remaining length bounds a variable offset") {
    State state = State::entry(Platform::guest);
    const Value offset = state.number(Scalar::unsigned_range(20, 60));
    const Value left = state.subtract(Value::number(packet_size), offset);
    REQUIRE(state.assume(Condition::sge, 64, true, left, Value::constant(8)));
    CHECK(state.upper_difference(offset.moved(8), Value::number(packet_size)).value_or(1) <= 0);
}

TEST_CASE("a bound that is learnt later reaches an older sum") {
    State state = State::entry(Platform::guest);
    const Value a = state.number(Scalar::unsigned_range(0, 60)), b = state.number(Scalar::unsigned_range(0, 60));
    const Value sum = state.add(a, b);
    REQUIRE(state.assume(Condition::ge, 64, true, b, Value::constant(21)));
    CHECK(state.upper_difference(a, sum).value_or(0) <= -21);
}

TEST_CASE("constant distances survive a join without a constraint") {
    State a = State::entry(Platform::guest), b = a;
    a.registers[2] = Value::constant(0);
    a.registers[3] = packet_at(Value::constant(14));
    b.registers[2] = Value::constant(1);
    b.registers[3] = packet_at(Value::constant(15));
    const State joined = join(a, b);
    CHECK(joined.registers[2].symbol == joined.registers[3].symbol);
    CHECK(joined.registers[3].delta - joined.registers[2].delta == 14);
}

TEST_CASE("an offset that stays inside the packet on both sides does so in the join") {
    State a = State::entry(Platform::guest), b = a;
    for (auto* side : {&a, &b}) {
        const std::int64_t size = side == &a ? 14 : 18;
        REQUIRE(side->assume(Condition::ge, 64, true, Value::number(packet_size), Value::constant(static_cast<std::uint64_t>(size))));
        side->registers[2] = packet_at(Value::constant(static_cast<std::uint64_t>(size)));
    }
    const State joined = join(a, b);
    CHECK(joined.upper_difference(joined.registers[2], Value::number(packet_size)).value_or(1) <= 0);
}

TEST_CASE("one null test serves every copy of a looked-up pointer") {
    State state = State::entry(Platform::guest);
    const Symbol witness = state.fresh(Scalar::unsigned_range(0, 1));
    state.registers[0] = state.registers[6] = {.kind = Kind::map_value, .nullable = witness};
    state.assume_null(witness, false);
    CHECK_FALSE(state.registers[6].may_be_null());
}

TEST_CASE("moving the packet leaves of its pointers what is good for distances, moving it again nothing") {
    State state = State::entry(Platform::guest);
    state.registers[2] = packet_at(Value::constant(0));
    state.registers[3] = Value::number(packet_size, -14);
    state.forget_packet(Platform::guest);
    CHECK(state.registers[2].kind == Kind::packet_address);
    CHECK(state.registers[2].object == from_before);
    CHECK(state.registers[3].is_number());
    CHECK(state.registers[3].symbol != packet_size);
    state.forget_packet(Platform::guest);
    CHECK_FALSE(state.registers[2].is_readable());
}

}  // namespace unibpf::analyser
