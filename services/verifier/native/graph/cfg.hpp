// Control-flow graph: basic blocks, subprograms inlined at each call site.
//
// A block ends before a jump target and after a jump, branch, call of a subprogram or exit. A call's block goes to the callee's
// entry, the callee's exits go to the block after the call: each call path has blocks of its own, so one analysis serves
// arguments and results of each call precisely. Recursion and depth are bounded by abi::max_frames, the whole by max_blocks.
//
// A helper that calls back is a loop: its call's block goes to a block without instructions that asks "once more?" and goes to
// the callback's entry or after the call; the callback's exits go back to it, or after the call where the callback says that
// it is enough. Which function is called is read off the code before the call; the checker holds it against the argument.
// Functions that program arrays name are entries like the program's own: bpf_tail_call starts them with nothing but the
// context. A call of it ends the run or falls through; in a subprogram it also goes where the subprogram's exits go.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/state/value.hpp"

namespace unibpf::analyser {

using BlockId = std::uint32_t;
inline constexpr BlockId no_block = UINT32_MAX;

// How a function is started.
enum class Role : std::uint8_t {
    entry,
    subprogram,
    callback
};

struct Block {
    std::uint32_t first, last;  // instructions, both included
    std::uint8_t depth = 0;     // 0 is the entry program
    // next: fall-through, jump, call or return; taken: the branch's target, what a callback's exit or a tail call leads to besides
    BlockId next = no_block, taken = no_block;
    std::uint16_t live = 0x7ff;  // registers that some path reads before writing
    std::uint32_t cost = 0;      // instructions that run: the second half of a 64-bit load does not
    bool tail_calls = false;     // its last instruction is one
    bool asks = false;           // the "once more?" of a call that calls back: no instructions, `first` is the call's
    std::uint32_t callee = UINT32_MAX;  // of such a call and of its question: where the function begins that is called back
    std::uint32_t copy = 0;
    Site site = no_site;         // of its first instruction, the next ones follow
};

// One copy of a function: its blocks, and the copy that calls it (the entry program's is 0 and its own).
struct Copy {
    std::uint32_t start;  // first instruction
    BlockId first, past;
    std::uint32_t caller;
    Role role = Role::entry;
    bool in_callback = false;  // it is a callback or called by one, however deep
    std::uint32_t call = 0;    // instruction of the caller
};

struct Cfg {
    static constexpr std::size_t max_blocks = 400'000;
    std::vector<Block> blocks;  // 0 is the entry
    std::vector<BlockId> entries{0};  // 0 and those of the functions that program arrays name
    bool tail_calls = false;       // a run may go through several entries
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
struct Uses {
    std::uint16_t reads = 0, writes = 0;
};
Uses uses_of(const Insn& insn);

std::variant<Cfg, Finding> build_cfg(const Program& program, const Options& options);

}  // namespace unibpf::analyser
