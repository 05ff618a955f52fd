// What the analysis claims of each register before each instruction, over all paths: for people (`--invariants`) and for tests
// that hold the claims against real runs.
#pragma once

#include <array>
#include <vector>

#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

struct Claim {
    bool reached = false;
    Kind kind = Kind::uninitialised;
    Scalar scalar{};  // of numbers the value, of pointers the offset
    std::uint64_t object = 0;  // of pointers, as in Value
    bool may_be_null = false;
};

class Invariants {
  public:
    explicit Invariants(std::size_t instructions) : claims_(instructions) {}

    // One more state that may hold before the instruction.
    void include(std::uint32_t instruction, const State& state);
    const std::array<Claim, register_count>& before(std::size_t instruction) const { return claims_[instruction]; }
    std::size_t size() const { return claims_.size(); }
    void clear() { claims_.assign(claims_.size(), {}); }

  private:
    std::vector<std::array<Claim, register_count>> claims_;
};

// `packet + [14, 54]`; nothing worth saying gives an empty string.
std::string describe(const Claim& claim);

}  // namespace unibpf::analyser
