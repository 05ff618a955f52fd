// Control-flow graph: basic blocks, subprograms inlined at each call site.
//
// A block ends before a jump target and behind a jump, branch, call of a subprogram or exit. A call's block goes to the callee's
// entry, the callee's exits go to the block behind the call: each call path has blocks of its own, so one analysis serves
// arguments and results of each call precisely. Recursion and depth are bounded by abi::max_frames, the whole by max_blocks.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "services/verifier/native/finding.hpp"
#include "services/verifier/native/program.hpp"

namespace unibpf::analyser {

using BlockId = std::uint32_t;
inline constexpr BlockId no_block = UINT32_MAX;

struct Block {
    std::uint32_t first, last;  // instructions, both included
    std::uint8_t depth = 0;     // 0 is the entry program
    // next: fall-through, jump, call or return; taken: the branch's target
    BlockId next = no_block, taken = no_block;
    std::uint16_t live = 0x7ff;  // registers that some path reads before writing
    std::uint32_t cost = 0;      // instructions that run: the second half of a 64-bit load does not
};

// One copy of a function: its blocks, and the copy that calls it (the entry program's is 0 and its own).
struct Copy {
    std::uint32_t start;  // first instruction
    BlockId first, past;
    std::uint32_t caller;
};

struct Cfg {
    static constexpr std::size_t max_blocks = 400'000;
    std::vector<Block> blocks;  // 0 is the entry
    std::vector<Copy> copies;   // callers before those that they call
};

// The blocks that lead to a block; one that leads there both ways is named twice.
class Predecessors {
  public:
    explicit Predecessors(const Cfg& cfg);
    std::span<const BlockId> of(BlockId id) const { return {from_.data() + first_[id], from_.data() + first_[id + 1]}; }

  private:
    std::vector<std::uint32_t> first_;  // block i's are from_[first_[i]] to from_[first_[i + 1] - 1]
    std::vector<BlockId> from_;
};

// Registers (bit by number) that an instruction reads and writes: the first may be too many, the second too few.
struct Uses { std::uint16_t reads = 0, writes = 0; };
Uses uses_of(const Insn& insn);

std::variant<Cfg, Finding> build_cfg(const Program& program);

}  // namespace unibpf::analyser
