// Differences follow from edges, survive projection, and never tighten by themselves.
#include <doctest/doctest.h>

#include "services/verifier/native/domains/differences.hpp"
#include "tests/unit/services/verifier/native/domains/generator.hpp"

namespace unibpf::analyser {

TEST_CASE("a path adds up its edges and the shorter one wins") {
    Differences differences;
    differences.add(3, 4, 5);
    differences.add(4, 5, -2);
    CHECK(differences.path(3, 5) == 3);
    differences.add(3, 5, 1);
    CHECK(differences.path(3, 5) == 1);
    CHECK(differences.path(5, 3) == std::nullopt);
    CHECK(differences.path(3, 3) == 0);
}

TEST_CASE("forgetting a symbol keeps what followed through it") {
    Differences differences;
    differences.add(3, 4, 5);
    differences.add(4, 5, -2);
    differences.forget(4);
    CHECK(differences.path(3, 5) == 3);
    CHECK(differences.path(3, 4) == std::nullopt);
}

TEST_CASE("what is forgotten of a symbol is nothing that goes by others, or through it") {
    Differences differences;
    differences.add(1, 2, 5);
    differences.add(2, 3, 4);
    differences.add(4, 5, 6);
    differences.forget(2);
    CHECK(differences.path(1, 3) == 9);
    CHECK(differences.path(4, 5) == 6);
    CHECK_FALSE(differences.path(1, 2).has_value());
}

TEST_CASE("constraints that hold for a valuation never imply one that does not") {
    Generator generator{11};
    for (int round = 0; round < 2000; ++round) {
        std::int64_t values[8];
        for (auto& value : values) value = static_cast<std::int64_t>(generator.below(1000)) - 500;
        Differences differences;
        for (int i = 0; i < 12; ++i) {
            const auto x = static_cast<Symbol>(generator.below(8)), y = static_cast<Symbol>(generator.below(8));
            differences.add(x, y, values[x] - values[y] + static_cast<std::int64_t>(generator.below(20)));
        }
        if (generator.below(2) == 0) differences.forget(static_cast<Symbol>(generator.below(8)));
        for (Symbol x = 0; x < 8; ++x) {
            for (Symbol y = 0; y < 8; ++y) {
                if (const auto limit = differences.path(x, y)) REQUIRE(values[x] - values[y] <= *limit);
            }
        }
    }
}

}  // namespace unibpf::analyser
