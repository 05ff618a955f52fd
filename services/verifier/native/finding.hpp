// A finding: one reason why a program is not accepted, in the words of the catalogue (rules.hpp). Source lines are added by
// whoever has the line info.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "services/verifier/native/rules.hpp"

namespace unibpf::analyser {

// Thrown when a limit ends the analysis: the verdict is then `gave_up`.
struct GaveUp : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Finding {
    Rule rule;
    std::string message;               // one sentence, no full stop
    std::vector<std::string> known{};  // what the analyser knew there
    std::string hint{};                // empty: the rule's own
    std::uint32_t instruction = 0;
};

}  // namespace unibpf::analyser
