// Widening holds what is joined, and a chain of it ends (that it holds every word is proved: tests/proofs).
#include <doctest/doctest.h>

#include "services/verifier/native/domains/widening.hpp"
#include "tests/unit/services/verifier/native/domains/generator.hpp"

namespace unibpf::analyser {

TEST_CASE("bounds that grow jump to the next threshold, then to the end; those that do not stay") {
    const std::vector<std::int64_t> thresholds{-8, 0, 100};
    const Scalar one = Scalar::unsigned_range(5, 10);
    CHECK(widen(one, join(one, Scalar::constant(7)), &thresholds) == one);
    Scalar wider = widen(one, join(one, Scalar::constant(11)), &thresholds);
    CHECK(wider.u64 == Interval<std::uint64_t>{5, 100});
    CHECK(wider.s64 == Interval<std::int64_t>{5, 100});
    wider = widen(one, join(one, Scalar::constant(101)), &thresholds);
    CHECK(wider.u64 == Interval<std::uint64_t>{5, UINT64_MAX});
    CHECK(wider.s64 == Interval<std::int64_t>{5, INT64_MAX});
    wider = widen(one, join(one, Scalar::constant(static_cast<std::uint64_t>(-3))), &thresholds);
    CHECK(wider.s64 == Interval<std::int64_t>{-8, 10});
    CHECK(widen(one, join(one, Scalar::constant(11)), nullptr).s64 == Interval<std::int64_t>{5, INT64_MAX});
}

TEST_CASE("thresholds that are out of order cost nothing but precision") {
    const std::vector<std::int64_t> thresholds{100, 0, -8};
    for (std::uint64_t x = 0; x < 300; ++x) {
        const Scalar joined = join(Scalar::constant(50), Scalar::constant(x));
        CHECK(joined.leq(widen(Scalar::constant(50), joined, &thresholds)));
    }
}

}  // namespace unibpf::analyser
