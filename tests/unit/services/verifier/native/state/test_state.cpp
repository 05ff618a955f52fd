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
            case 2:
                if (y.is_readable()) x = y;
                break;
            case 3:
                if (x.is_number() && y.is_number()) x = state.add(*x.as_number(), *y.as_number());
                break;
            case 4:
                if (x.is_number() && y.is_number()) x = state.subtract(*x.as_number(), *y.as_number());
                break;
            case 5: x = packet_at(Value::number(packet_size, -static_cast<std::int64_t>(generator.below(20)))); break;
            default:
                if (y.is_readable()) state.frames[0].store(static_cast<unsigned>(480 + 8 * generator.below(4)), 8, y);
                break;
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
            REQUIRE(before.bounds(before.registers[r].term()) == after.bounds(after.registers[r].term()));
        }
    }
}

TEST_CASE("a test of end - data bounds the packet") {
    State state = State::entry(Platform::guest);
    const Number length = state.distance(packet_at(Value::number(packet_size)), packet_at(Value::constant(0)));
    REQUIRE(state.assume(Condition::lt, 64, false, length, Number::constant(34)));
    CHECK(state.range(Value::number(packet_size)).low == 34);
}

TEST_CASE("a test of the remaining length bounds a variable offset") {
    State state = State::entry(Platform::guest);
    const Value offset = state.number(Scalar::unsigned_range(20, 60));
    const Number left = state.distance(packet_at(Value::number(packet_size)), packet_at(offset));
    REQUIRE(state.assume(Condition::sge, 64, true, left, Number::constant(8)));
    CHECK(state.upper_difference(offset.moved(8), Value::number(packet_size)).value_or(1) <= 0);
}

TEST_CASE("a bound that is learnt later reaches an older sum") {
    State state = State::entry(Platform::guest);
    const Number a = state.number(Scalar::unsigned_range(0, 60)), b = state.number(Scalar::unsigned_range(0, 60));
    const Number sum = state.add(a, b);
    REQUIRE(state.assume(Condition::ge, 64, true, b, Number::constant(21)));
    CHECK(state.upper_difference(a.term(), sum.term()).value_or(0) <= -21);
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
        REQUIRE(side->assume(Condition::ge, 64, true, Term{packet_size}, Number::constant(static_cast<std::uint64_t>(size))));
        side->registers[2] = packet_at(Value::constant(static_cast<std::uint64_t>(size)));
    }
    const State joined = join(a, b);
    CHECK(joined.upper_difference(joined.registers[2], Value::number(packet_size)).value_or(1) <= 0);
}

TEST_CASE("one null test serves every copy of a looked-up pointer") {
    State state = State::entry(Platform::guest);
    const Symbol witness = state.fresh(Scalar::unsigned_range(0, 1));
    Value pointer = Value::pointer(Kind::map_value);
    pointer.nullable = witness;
    state.registers[0] = state.registers[6] = pointer;
    state.assume_null(witness, false);
    CHECK_FALSE(state.registers[6].may_be_null());
}

// What asks for bits and signs takes numbers only: neither an address nor the offset that is known of it.
template <typename T>
concept HasScalar = requires(const State& state, const T& value) { state.scalar(value); };
template <typename T>
concept CanBeAdded = requires(State& state, const T& value) { state.add(value, value); };
static_assert(HasScalar<Number> && !HasScalar<Value> && !HasScalar<Term>);
static_assert(CanBeAdded<Number> && !CanBeAdded<Value> && !CanBeAdded<Term>);

TEST_CASE("only a number is one, and only a whole address has an offset") {
    for (unsigned kind = 0; kind <= static_cast<unsigned>(Kind::function); ++kind) {
        const Value value{static_cast<Kind>(kind)};
        CHECK(value.as_number().has_value() == (value.kind == Kind::number));
        CHECK(value.offset().has_value() == value.is_pointer());
    }
    Value half = Value::pointer(Kind::packet_address, low_half);
    CHECK_FALSE(half.offset().has_value());
    half = Value::pointer(Kind::packet);
    half.nullable = packet_size;
    CHECK_FALSE(half.offset().has_value());
}

Value joined_with_null(const Value& pointer) {
    State a = State::entry(Platform::guest), b = a;
    a.registers[2] = pointer;
    b.registers[2] = Value::constant(0);
    const State joined = join(a, b);
    REQUIRE(leq(a, joined));
    REQUIRE(leq(b, joined));
    return joined.registers[2];
}

TEST_CASE("a join with null keeps the pointers that are never 0, and no others") {
    CHECK(joined_with_null(Value::pointer(Kind::map_value, 1, 8)).may_be_null());
    CHECK(joined_with_null(Value::pointer(Kind::record, 1, -8)).may_be_null());
    CHECK(joined_with_null(Value::pointer(Kind::function, 1)).may_be_null());
    CHECK(joined_with_null(Value::pointer(Kind::map_value, 1, std::int64_t{INT32_MIN})).kind == Kind::mixed);
    CHECK(joined_with_null(Value::pointer(Kind::map_value, 1, INT64_MIN)).kind == Kind::mixed);
    CHECK(joined_with_null(Value::pointer(Kind::record, 1, INT64_MAX)).kind == Kind::mixed);
    CHECK(joined_with_null(Value::pointer(Kind::packet_address, low_half)).kind == Kind::mixed);
}

TEST_CASE("a pointer that may be null and one that may be 0 have no witness in common") {
    State a = State::entry(Platform::guest), b = a;
    a.registers[2] = Value::pointer(Kind::map_value, 1);
    a.registers[2].nullable = a.fresh(Scalar::unsigned_range(0, 1));
    b.registers[2] = Value::pointer(Kind::map_value, 1, -0x100000);
    CHECK(join(a, b).registers[2].kind == Kind::mixed);
    CHECK_FALSE(leq(b, a));
    b.registers[2] = Value::pointer(Kind::map_value, 1, 16);
    CHECK(join(a, b).registers[2].may_be_null());
}

TEST_CASE("a state with a definition holds no state that breaks it") {
    State outer = State::entry(Platform::guest);
    const Number whole = outer.number(Scalar::unsigned_range(0, 0x1ffffffff));
    outer.registers[2] = whole;
    State inner = outer;
    outer.registers[3] = outer.number(zero_extend(outer.scalar(whole), 4), {Definition::Form::truncated, whole, {}});
    inner.registers[3] = inner.number(Scalar::unsigned_range(0, UINT32_MAX));
    CHECK(leq(outer, outer));
    CHECK_FALSE(leq(inner, outer));
    CHECK(leq(outer, inner));
}

TEST_CASE("a difference that was computed before is known, and a sum says nothing of other symbols") {
    State state = State::entry(Platform::guest);
    const auto some = [&] { return state.number(Scalar::unsigned_range(0, 100)); };
    const Number a = some(), b = some(), c = some();
    const Number difference = state.subtract(a, b), sum = state.add(a, c);
    CHECK(state.known_difference(a.term().moved(3), b) == std::optional{difference.term().moved(3)});
    CHECK(state.known_difference(sum, a) == std::optional{c.term()});
    CHECK_FALSE(state.known_difference(a, c).has_value());
    CHECK_FALSE(state.known_difference(c, b).has_value());
    CHECK_FALSE(state.known_difference(b, a).has_value());
}

// From + part, where part <= (end - other) was tested.
std::optional<std::int64_t> beyond_the_end(bool same_start) {
    State state = State::entry(Platform::guest);
    state.relates_shares = true;
    const auto some = [&](std::uint64_t most) { return state.number(Scalar::unsigned_range(0, most)); };
    const Number end = some(1000), from = some(1000), other = some(1000), part = some(1000);
    const Number way = state.subtract(end, same_start ? from : other);
    REQUIRE(state.assume(Condition::sle, 64, true, part, way));
    return state.upper_difference(state.add(from, part).term(), end.term());
}

TEST_CASE("a part of the way from one place does not go beyond the end, from another place it may") {
    CHECK(beyond_the_end(true).value_or(1) <= 0);
    CHECK(beyond_the_end(false).value_or(1) > 0);
}

TEST_CASE("a part of the way bounds the number that it leads to") {
    State state = State::entry(Platform::guest);
    state.relates_shares = true;
    const Number end = state.number(Scalar::unsigned_range(0, 60)), from = state.number(Scalar::unsigned_range(0, 1000));
    const Number part = state.number(Scalar::unsigned_range(0, 1000)), way = state.subtract(end, from);
    REQUIRE(state.assume(Condition::sle, 64, true, part, way));
    const Number sum = state.add(from, part);
    CHECK(state.scalar(sum).s64.high <= 60);
}

TEST_CASE("the half of what may be negative is not near the whole") {
    State state = State::entry(Platform::guest);
    state.relates_shares = true;
    const Number a = state.number(Scalar::unsigned_range(0, 100)), b = state.number(Scalar::unsigned_range(0, 100));
    const Number whole = state.subtract(a, b);
    const Number half = state.shifted_right(whole, 1, compute(Alu::rsh, 64, state.scalar(whole), Scalar::constant(1)));
    CHECK(state.range(half).high >= INT64_MAX / 2);
}

TEST_CASE("addresses of the packet as it is and from before it moved are nothing in common") {
    State a = State::entry(Platform::guest), b = a;
    for (const std::uint64_t form : {std::uint64_t{0}, low_half}) {
        a.registers[2] = Value::pointer(Kind::packet_address, form);
        b.registers[2] = Value::pointer(Kind::packet_address, from_before);
        CHECK(join(a, b).registers[2].kind == Kind::mixed);
        b.registers[2] = Value::pointer(Kind::packet_address, low_half);
        CHECK(join(a, b).registers[2].is_half());
    }
}

TEST_CASE("a join keeps which number was shifted, unless one side has moved it") {
    State a = State::entry(Platform::guest);
    const Number whole = a.number(Scalar::unsigned_range(0, UINT32_MAX));
    const Number shifted = a.number(compute(Alu::lsh, 64, a.scalar(whole), Scalar::constant(32)), {Definition::Form::shifted, whole, {}});
    a.registers[2] = whole;
    a.registers[3] = shifted;
    State b = a;
    State joined = join(a, b);
    const auto kept = joined.shifted_number(*joined.registers[3].as_number());
    REQUIRE(kept.has_value());
    CHECK(Value{*kept} == joined.registers[2]);
    b.registers[3] = Value{shifted}.moved(5);
    joined = join(a, b);
    CHECK_FALSE(joined.shifted_number(*joined.registers[3].as_number()).has_value());
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
