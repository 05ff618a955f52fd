// A finding: one reason why a program is not accepted, in the words of the catalogue (rules.hpp). Source lines are added by
// whoever has the line info.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "services/verifier/native/findings/rules.hpp"

namespace unibpf::analyser {

// Thrown when a limit ends the analysis: the verdict is then `gave_up`.
struct GaveUp : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Where a slice begins: the registers (bit by number) that the finding is about, before an instruction of a block of the graph.
struct SliceRoot {
    std::uint32_t block, instruction;
    std::uint16_t registers;
};

// One instruction that led to a finding; of a branch that guards it, whether it is taken on the way there.
struct SliceStep {
    std::uint32_t instruction;
    std::string text;
    std::optional<bool> taken;
};

struct Finding {
    Rule rule;
    std::string message;               // one sentence, no full stop
    std::vector<std::string> known{};  // what the analyser knew there
    std::string hint{};                // empty: the rule's own
    std::uint32_t instruction = 0;
    std::uint16_t registers = 0;         // bit by number: which it is about; none: all that the instruction reads
    std::vector<SliceRoot> roots{};      // set by the fixpoint, which knows the block
    std::vector<SliceStep> slice{};
};

}  // namespace unibpf::analyser
