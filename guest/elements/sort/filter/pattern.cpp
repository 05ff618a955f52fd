#include "guest/elements/sort/filter/pattern.hpp"

#include "guest/elements/sort/filter/primitive.hpp"
#include "guest/elements/sort/filter/tokens.hpp"

namespace unibpf {

namespace {

constexpr unsigned most_nested = 12;  // each level takes about half a KiB of the stack

class PatternParser {
  public:
    PatternParser(std::string_view text, Arena& arena, PatternFault& fault) : tokens_{text}, maker_{arena}, fault_{fault} {}

    const Expression* whole() {
        const Expression* made = expression();
        if (made && !tokens_.peek().empty()) return failed("`and`, `or` or the end");
        return made;
    }

  private:
    const Expression* failed(std::string_view expected) {
        if (fault_.expected.empty()) fault_ = {tokens_.peek(), expected};
        return nullptr;
    }

    const Expression* expression() {
        const Expression* made = alternative();
        if (!made || tokens_.peek() != "?") return made;
        tokens_.next();
        const Expression* yes = expression();
        if (!yes) return nullptr;
        if (!tokens_.take(":")) return failed("`:`");
        const Expression* no = expression();
        return no ? maker_.choice(made, yes, no) : nullptr;
    }

    const Expression* alternative() {
        const Expression* made = conjunction();
        while (made && (tokens_.take("or") || tokens_.take("||"))) {
            const Expression* next = conjunction();
            made = next ? maker_.either(made, next) : nullptr;
        }
        return made;
    }

    const Expression* conjunction() {
        const Expression* made = factor();
        while (made && goes_on()) {
            const Expression* next = factor();
            made = next ? maker_.both(made, next) : nullptr;
        }
        return made;
    }

    bool goes_on() {
        if (tokens_.take("and") || tokens_.take("&&")) return true;
        const std::string_view token = tokens_.peek();
        return !token.empty() && token != "or" && token != "||" && token != ")" && token != "?" && token != ":";
    }

    const Expression* factor() {
        bool negated = false;
        while (tokens_.take("not") || tokens_.take("!")) negated = !negated;
        const Expression* made = plain_factor();
        return made && negated ? maker_.negation(made) : made;
    }

    const Expression* plain_factor() {
        if (!tokens_.take("(")) return primitive();
        if (++depth_ > most_nested) return failed("less deeply nested parentheses");
        const Expression* made = expression();
        --depth_;
        if (made && !tokens_.take(")")) return failed("`)`");
        return made;
    }

    const Expression* primitive() {
        std::string_view expected;
        const Expression* made = read_primitive(tokens_, last_, maker_, expected);
        return made ? made : failed(expected);
    }

    Tokens tokens_;
    ExpressionMaker maker_;
    PatternFault& fault_;
    Qualifiers last_;
    unsigned depth_ = 0;
};

}  // namespace

const Expression* parse_pattern(std::string_view text, Arena& arena, PatternFault& fault) {
    const Expression* made = PatternParser{text, arena, fault}.whole();
    if (!made && fault.expected.empty()) fault.expected = "less, or more memory";
    return made;
}

std::uint16_t compile(const Expression& e, std::uint16_t yes, std::uint16_t no, DecisionProgram& program, Arena& scratch) {
    using Kind = Expression::Kind;
    switch (e.kind) {
        case Kind::constant: return e.value ? yes : no;
        case Kind::test: return program.add(e.test, yes, no, scratch);
        case Kind::negation: return compile(*e.first, no, yes, program, scratch);
        case Kind::conjunction:
        case Kind::alternative: {
        // Chains lean to the left: walked here, not by calls.
            const Kind kind = e.kind;
            const Expression* at = &e;
            std::uint16_t next = kind == Kind::conjunction ? yes : no;
            for (; at->kind == kind; at = at->first)
                next = kind == Kind::conjunction ? compile(*at->second, next, no, program, scratch) : compile(*at->second, yes, next, program, scratch);
            return kind == Kind::conjunction ? compile(*at, next, no, program, scratch) : compile(*at, yes, next, program, scratch);
        }
        case Kind::choice: {
            const std::uint16_t first = compile(*e.second, yes, no, program, scratch);
            const std::uint16_t second = compile(*e.third, yes, no, program, scratch);
            return compile(*e.first, first, second, program, scratch);
        }
    }
    return no;
}

}  // namespace unibpf
