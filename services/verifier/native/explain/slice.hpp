// Slices: the instructions that led to a finding (Weiser, "Program slicing", 1984), as far as a person can read them.
//
// Backwards from the faulting instruction over the inlined graph: what wrote the registers it is about, and what those were made
// of, through registers and directly addressed stack slots; and the branches that guard it, those of whose two sides only one
// leads there; of the nearest guards also what they compare. Bounded in length and in work: a slice explains and proves nothing,
// so leaving something out is allowed.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/program/program.hpp"

namespace unibpf::analyser {

inline constexpr std::size_t longest_slice = 24, most_guards = 8, most_guards_followed = 2;

class Slicer {
  public:
    Slicer(const Program& program, const Cfg& cfg) : program_{program}, cfg_{cfg}, predecessors_{cfg} {}

    // In order of the program, the faulting instruction included.
    std::vector<SliceStep> slice(const std::vector<SliceRoot>& roots) const;

  private:
    using Steps = std::map<std::uint32_t, std::optional<bool>>;  // by instruction

    // Returns the nearest, as roots of what they compare.
    std::vector<SliceRoot> find_guards(const std::vector<SliceRoot>& roots, Steps& steps) const;
    void follow_data(const std::vector<SliceRoot>& roots, Steps& steps) const;

    const Program& program_;
    const Cfg& cfg_;
    Predecessors predecessors_;
};

}  // namespace unibpf::analyser
