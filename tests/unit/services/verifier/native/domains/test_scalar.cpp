// Laws of the scalar domain, by property: order, join, meet, and soundness of every operation against the guest's arithmetic.
#include <doctest/doctest.h>

#include "guest/bpf/interpreter/arithmetic.hpp"
#include "tests/unit/services/verifier/native/domains/generator.hpp"

namespace unibpf::analyser {
namespace {

constexpr int rounds = 30'000;
constexpr Alu operations[] = {Alu::add, Alu::sub, Alu::mul, Alu::div, Alu::sdiv, Alu::or_, Alu::and_, Alu::lsh,
                              Alu::rsh, Alu::neg, Alu::mod, Alu::smod, Alu::xor_, Alu::mov, Alu::arsh};
constexpr Condition conditions[] = {Condition::eq, Condition::gt, Condition::ge, Condition::set, Condition::ne, Condition::sgt,
                                    Condition::sge, Condition::lt, Condition::le, Condition::slt, Condition::sle};

template <typename U>
U concrete(Alu op, U a, U b) {
    switch (op) {
        case Alu::add: return arithmetic::compute<Alu::add>(a, b);
        case Alu::sub: return arithmetic::compute<Alu::sub>(a, b);
        case Alu::mul: return arithmetic::compute<Alu::mul>(a, b);
        case Alu::div: return arithmetic::compute<Alu::div>(a, b);
        case Alu::sdiv: return arithmetic::compute<Alu::sdiv>(a, b);
        case Alu::or_: return arithmetic::compute<Alu::or_>(a, b);
        case Alu::and_: return arithmetic::compute<Alu::and_>(a, b);
        case Alu::lsh: return arithmetic::compute<Alu::lsh>(a, b);
        case Alu::rsh: return arithmetic::compute<Alu::rsh>(a, b);
        case Alu::neg: return arithmetic::compute<Alu::neg>(a, b);
        case Alu::mod: return arithmetic::compute<Alu::mod>(a, b);
        case Alu::smod: return arithmetic::compute<Alu::smod>(a, b);
        case Alu::xor_: return arithmetic::compute<Alu::xor_>(a, b);
        case Alu::mov: return arithmetic::compute<Alu::mov>(a, b);
        case Alu::arsh: return arithmetic::compute<Alu::arsh>(a, b);
    }
    __builtin_unreachable();
}

template <typename U>
bool concrete(Condition condition, U a, U b) {
    switch (condition) {
        case Condition::eq: return arithmetic::holds<Condition::eq>(a, b);
        case Condition::gt: return arithmetic::holds<Condition::gt>(a, b);
        case Condition::ge: return arithmetic::holds<Condition::ge>(a, b);
        case Condition::set: return arithmetic::holds<Condition::set>(a, b);
        case Condition::ne: return arithmetic::holds<Condition::ne>(a, b);
        case Condition::sgt: return arithmetic::holds<Condition::sgt>(a, b);
        case Condition::sge: return arithmetic::holds<Condition::sge>(a, b);
        case Condition::lt: return arithmetic::holds<Condition::lt>(a, b);
        case Condition::le: return arithmetic::holds<Condition::le>(a, b);
        case Condition::slt: return arithmetic::holds<Condition::slt>(a, b);
        case Condition::sle: return arithmetic::holds<Condition::sle>(a, b);
    }
    __builtin_unreachable();
}

bool contains_all(const Scalar& scalar, const Generator::Set& set) {
    for (const std::uint64_t word : set.words) {
        if (!scalar.contains(word)) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("a scalar holds the words that it was joined from") {
    Generator generator{1};
    for (int i = 0; i < rounds; ++i) {
        const auto set = generator.set();
        REQUIRE(contains_all(set.scalar, set));
    }
}

TEST_CASE("join is commutative, above both, and idempotent") {
    Generator generator{2};
    for (int i = 0; i < rounds; ++i) {
        const auto a = generator.set(), b = generator.set();
        const Scalar joined = join(a.scalar, b.scalar);
        REQUIRE(joined == join(b.scalar, a.scalar));
        REQUIRE(a.scalar.leq(joined));
        REQUIRE(b.scalar.leq(joined));
        REQUIRE(join(a.scalar, a.scalar) == a.scalar);
    }
}

TEST_CASE("meet holds what both hold and is below both") {
    Generator generator{3};
    for (int i = 0; i < rounds; ++i) {
        const auto a = generator.set(), b = generator.set();
        const Scalar met = meet(a.scalar, b.scalar);
        REQUIRE(met.leq(a.scalar));
        REQUIRE(met.leq(b.scalar));
        for (const std::uint64_t word : a.words) {
            if (b.scalar.contains(word)) REQUIRE(met.contains(word));
        }
    }
}

TEST_CASE("normalising loses no word and leaves nothing above the original") {
    Generator generator{4};
    for (int i = 0; i < rounds; ++i) {
        const auto set = generator.set();
        Scalar normal = set.scalar;
        normal.normalise();
        REQUIRE(contains_all(normal, set));
        REQUIRE(normal.leq(set.scalar));
    }
}

TEST_CASE("every operation's result holds what the guest computes") {
    Generator generator{5};
    for (int i = 0; i < rounds; ++i) {
        const auto a = generator.set(), b = generator.set();
        for (const Alu op : operations) {
            const Scalar wide = compute(op, 64, a.scalar, b.scalar), narrow = compute(op, 32, a.scalar, b.scalar);
            for (const std::uint64_t x : a.words) {
                for (const std::uint64_t y : b.words) {
                    CAPTURE(static_cast<int>(op));
                    CAPTURE(x);
                    CAPTURE(y);
                    REQUIRE(wide.contains(concrete(op, x, y)));
                    REQUIRE(narrow.contains(concrete(op, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y))));
                }
            }
        }
    }
}

TEST_CASE("constants are computed exactly") {
    Generator generator{6};
    for (int i = 0; i < rounds; ++i) {
        const std::uint64_t x = generator.word(), y = generator.word();
        for (const Alu op : {Alu::add, Alu::sub, Alu::mul, Alu::or_, Alu::and_, Alu::xor_, Alu::lsh, Alu::rsh, Alu::arsh, Alu::mov}) {
            CAPTURE(static_cast<int>(op));
            REQUIRE(compute(op, 64, Scalar::constant(x), Scalar::constant(y)) == Scalar::constant(concrete(op, x, y)));
        }
    }
}

TEST_CASE("extensions and byte orders hold what the guest computes") {
    Generator generator{7};
    for (int i = 0; i < rounds; ++i) {
        const auto set = generator.set();
        for (const unsigned bytes : {1U, 2U, 4U, 8U}) {
            for (const std::uint64_t word : set.words) {
                REQUIRE(zero_extend(set.scalar, bytes).contains(arithmetic::zero_extend(word, bytes)));
                REQUIRE(sign_extend(set.scalar, bytes).contains(arithmetic::sign_extend(word, bytes)));
                if (bytes == 1) continue;
                for (const ByteOrder order : {ByteOrder::little, ByteOrder::big, ByteOrder::swap}) {
                    REQUIRE(swap_bytes(order, bytes, set.scalar).contains(arithmetic::reorder(order, word, bytes)));
                }
            }
        }
    }
}

TEST_CASE("assuming a condition keeps every pair for which it holds") {
    Generator generator{8};
    for (int i = 0; i < rounds; ++i) {
        const auto a = generator.set(), b = generator.set();
        for (const Condition condition : conditions) {
            for (const unsigned width : {32U, 64U}) {
                for (const bool holds : {true, false}) {
                    Scalar x = a.scalar, y = b.scalar;
                    assume(condition, width, holds, x, y);
                    for (const std::uint64_t p : a.words) {
                        for (const std::uint64_t q : b.words) {
                            const bool real = width == 64 ? concrete(condition, p, q)
                                                          : concrete(condition, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(q));
                            if (real != holds) continue;
                            CAPTURE(static_cast<int>(condition));
                            CAPTURE(p);
                            CAPTURE(q);
                            REQUIRE(x.contains(p));
                            REQUIRE(y.contains(q));
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("a mask bounds a word and a comparison with a constant decides") {
    const Scalar masked = compute(Alu::and_, 64, Scalar::top(), Scalar::constant(0x3c));
    CHECK(masked.u64 == Interval<std::uint64_t>{0, 0x3c});
    CHECK(masked.bits.contains(0x3c));
    CHECK_FALSE(masked.bits.contains(0x3d));
    Scalar small = masked, twenty = Scalar::constant(20);
    assume(Condition::ge, 64, true, small, twenty);
    CHECK(small.u64 == Interval<std::uint64_t>{20, 0x3c});
    assume(Condition::lt, 64, true, small, twenty);
    CHECK(small.is_bottom());
}

}  // namespace unibpf::analyser
