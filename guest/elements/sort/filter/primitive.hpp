// Primitives of patterns: what a run of qualifiers and a value mean, as tests of words.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/elements/sort/filter/pattern.hpp"
#include "guest/elements/sort/filter/tokens.hpp"

namespace unibpf {

enum class Direction : std::uint8_t {
    either,
    source,
    destination,
    both
};

enum class FieldKind : std::uint8_t {
    none,
    host,
    net,
    port,
    protocol,
    icmp_type,
    icmp_code,
    tcp_flag,
    tcp_window,
    version,
    header_length,
    type_of_service,
    dscp,
    ecn,
    identification,
    length,
    time_to_live
};

struct Qualifiers {
    static constexpr int any_protocol = -1;
    Direction direction = Direction::either;
    FieldKind kind = FieldKind::none;
    int protocol = any_protocol;
};

// Makes expressions in an arena; every call gives null when there is no memory or an operand is null.
class ExpressionMaker {
  public:
    explicit ExpressionMaker(Arena& arena) : arena_{arena} {}

    const Expression* constant(bool value);
    const Expression* test(const WordTest& test);
    const Expression* negation(const Expression* operand);
    const Expression* both(const Expression* first, const Expression* second);
    const Expression* either(const Expression* first, const Expression* second);
    const Expression* choice(const Expression* first, const Expression* second, const Expression* third);

    const Expression* word(std::uint16_t offset, std::uint32_t mask, std::uint32_t value);  // of the IP header
    const Expression* protocol(int number);  // -1: TCP or UDP
    // `test` of a word of the transport header: not of later fragments, and only where it is whole.
    const Expression* transport(int protocol, const Expression* test, std::uint32_t bytes);

  private:
    const Expression* make(Expression::Kind kind, const Expression* first, const Expression* second, const Expression* third);
    Arena& arena_;
};

// Null, and what was expected, when the next tokens are no primitive. `last` is that of the one before, and then of this one.
const Expression* read_primitive(Tokens& tokens, Qualifiers& last, ExpressionMaker& maker, std::string_view& expected);

}  // namespace unibpf
