// Patterns of IPFilter and IPClassifier: the language of tcpdump(1) as Click's manual of IPClassifier has it.
//
//   expr      = alternative ["?" expr ":" expr]
//   alternative = conjunction {("or" | "||") conjunction}
//   conjunction = factor {["and" | "&&"] factor}
//   factor    = ("not" | "!") factor | "(" expr ")" | primitive
//   primitive = {qualifier} [relation] value | word
//
// A value without qualifiers has those of the primitive before it, so that `src port 80 or 443` means what it says.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/elements/sort/filter/decision.hpp"
#include "guest/graph/arena.hpp"

namespace unibpf {

struct Expression {
    enum class Kind : std::uint8_t {
        constant,
        test,
        negation,
        conjunction,
        alternative,
        choice  // first ? second : third
    };
    Kind kind = Kind::constant;
    bool value = false;
    WordTest test;
    const Expression* first = nullptr;
    const Expression* second = nullptr;
    const Expression* third = nullptr;
};

struct PatternFault {
    std::string_view got;       // empty: the end
    std::string_view expected;  // in words
};

// Null, and `fault`, when it is no pattern. Expressions live as long as `arena`.
const Expression* parse_pattern(std::string_view text, Arena& arena, PatternFault& fault);

// The program that goes to `yes` where the expression holds and to `no` where it does not; its first test.
std::uint16_t compile(const Expression& expression, std::uint16_t yes, std::uint16_t no, DecisionProgram& program, Arena& scratch);

}  // namespace unibpf
