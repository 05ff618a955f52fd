// Are registers what the analysis claims them to be? The program is cut open before an instruction: a jump to a stub takes its
// place, and the stub returns the register. Run on the same packet and fresh maps, the result must lie inside the claim.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {

struct Run {
    bool ended = false;  // by exit
    std::uint64_t result = 0;
};
using Runner = std::function<Run(const std::vector<Instruction>&, const Bytes& packet)>;

struct ClaimTally {
    std::uint64_t checked = 0;
};

// True if `tries` random claims about the program hold for the packet; prints the first that does not.
bool claims_hold(const std::vector<Instruction>& code, const analyser::Invariants& invariants, const Bytes& packet, std::uint64_t seed,
                 unsigned tries, const Runner& run, ClaimTally& tally);

}  // namespace unibpf::soundness
