// A finding: one reason why a program is not accepted, in the words of the catalogue (rules.hpp). Source lines are added by
// whoever has the line info.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/verifier/native/rules.hpp"

namespace unibpf::analyser {

struct Finding {
    Rule rule;
    std::string message;               // one sentence, no full stop
    std::vector<std::string> known{};  // what the analyser knew there
    std::string hint{};                // empty: the rule's own
    std::uint32_t instruction = 0;
};

}  // namespace unibpf::analyser
