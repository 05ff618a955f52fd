// A small deterministic source of test values: words near the edges that arithmetic trips over, and sets of words with the
// Scalar that holds them.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "services/verifier/native/domains/scalar.hpp"

namespace unibpf::analyser {

class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_{seed} {}

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    std::uint64_t word() {
        static constexpr std::uint64_t edges[] = {0, 1, 2, 31, 32, 63, 64, 255, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
                                                  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000};
        switch (below(4)) {
            case 0: return edges[below(std::size(edges))];
            case 1: return edges[below(std::size(edges))] + below(5) - 2;
            case 2: return below(300);
            default: return random_() >> below(64);
        }
    }

    // A set of words and what the domain knows of it: joined constants, sometimes a whole small range.
    struct Set {
        std::vector<std::uint64_t> words;
        Scalar scalar;
    };
    Set set() {
        const std::uint64_t first = word();
        Set result{{first}, Scalar::constant(first)};
        const std::uint64_t count = below(4), near = below(2);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t next = near != 0 ? first + below(40) : word();
            result.words.push_back(next);
            result.scalar = join(result.scalar, Scalar::constant(next));
        }
        if (below(3) == 0) result.scalar.normalise();
        return result;
    }

  private:
    std::mt19937_64 random_;
};

}  // namespace unibpf::analyser
