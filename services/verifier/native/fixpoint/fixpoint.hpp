// The analysis itself: states are pushed through the blocks in weak topological order; loops are unrolled while that is cheap,
// else iterated with widening, then narrowing, until stable. What comes out are findings and facts for the report.
//
// Soundness: assertions are checked only in the pass that uses the final invariants (`checking`). In all other passes a failing
// assertion is taken as an assumption: the instruction's effect is replaced by an over-approximation of every execution for which
// it holds. So invariants cover every execution up to its first fault, and the last pass shows that there is no first fault.
// Partitioning: with `disjuncts` above one, paths that meet stay apart, up to that many at a block, where a flag differs (a constant,
// or null against a pointer) and something is known on one path only. So `if (valid) use(header)` is understood.
// States are kept for blocks that wait to be run and for heads of active loops, not per instruction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "services/verifier/native/certificate/recorder.hpp"
#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/fixpoint/invariants.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/graph/wto.hpp"

namespace unibpf::analyser {

struct Analysis {
    std::vector<Finding> findings;
    std::map<BlockId, std::optional<std::uint64_t>> loop_bounds;  // head -> times it is entered again; nothing: no bound known
    std::map<std::pair<BlockId, std::uint32_t>, std::uint64_t> work{};  // block and instruction of a call -> what its helper costs besides
    std::uint32_t stack_bytes = 0;
};

// How hard the analysis tries. None of it can make an unsafe program pass.
struct Precision {
    unsigned disjuncts = 1;           // paths kept apart at a block
    unsigned unroll_decided = 256;    // iterations of a loop, where each decides whether another follows
    unsigned unroll_undecided = 24;   // iterations, where paths may leave the loop or stay
    bool relates_shares = false;      // shares of distances, middles of intervals
    std::uint64_t work = 0;           // instructions before it is given up; 0: no end but the options'
};

// What the last pass is written down in, where somebody asked for it.
struct Records {
    Invariants* invariants = nullptr;  // what it claims before each instruction
    Recorder* certificate = nullptr;   // its runs of blocks
};
Analysis analyse(const Program& program, const Options& options, const Cfg& cfg, const Wto& wto, const Precision& precision, const Records& records);

}  // namespace unibpf::analyser
