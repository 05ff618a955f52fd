// Are registers what the analyser claims them to be, and is what it never reaches never reached? The program is cut open before an
// instruction: a return of the register takes its place. Run on the same packet and fresh maps, the result must lie inside the
// claim; an instruction that no state reaches must not return at all.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {

// One run, and where things were.
struct Run {
    bool ended = false;  // by exit
    std::uint64_t result = 0;
    std::uint64_t packet = 0, packet_end = 0, stack_top = 0, context = 0;
    Bytes left{};  // the packet afterwards
};
using Runner = std::function<Run(const std::vector<Instruction>&, const Bytes& packet)>;

struct ClaimTally {
    std::uint64_t checked = 0, pointers = 0, dead = 0;
};

inline constexpr std::int32_t marker = 0x5afe1234;
inline constexpr unsigned no_register = 255;  // return the marker

// The program that returns `reg` before its instruction `at`, which is one of the entry function; the function ends at `end`.
// False: it cannot be cut open there.
bool cut_open(std::vector<Instruction>& code, std::size_t at, std::size_t end, unsigned reg);

// Where the entry function ends.
std::size_t end_of_entry(const std::vector<Instruction>& code, std::uint32_t tail);

// True if `tries` random claims about the program hold for the packet; prints the first that does not.
bool claims_hold(const std::vector<Instruction>& code, std::size_t end, const analyser::Invariants& invariants, const Bytes& packet,
                 std::uint64_t seed, unsigned tries, const Runner& run, ClaimTally& tally);

}  // namespace unibpf::soundness
