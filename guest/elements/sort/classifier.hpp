#pragma once

#include "guest/core/heap.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// Classifier - sorts packets by their contents
//
//   Classifier(pattern, pattern, ...)
//
// A packet leaves by the output of the first pattern that it matches. A pattern is a list of clauses that must all hold:
// `offset/value` or `offset/value%mask`, offset in decimal from the start of the packet, value and mask in hexadecimal, `?`
// in a value for any digit, `!` before a clause to turn it round; or `-`, which matches every packet. A packet that is too
// short for a clause does not match it.
// Ports: one push input, any number of push outputs.
// Drops: no-match.
// Handlers: count, drops (read), reset_counts (write).
// Example: Classifier(12/0806 20/0001, 12/0800, -)
class Classifier : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;
    void reset() { reset_counters(); }

    struct Clause {
        static constexpr std::size_t most_clause_bytes = 16;
        std::uint16_t offset = 0;
        std::uint8_t length = 0;
        bool negated = false;
        std::uint8_t output = 0;
        std::array<std::uint8_t, most_clause_bytes> value{};  // already masked
        std::array<std::uint8_t, most_clause_bytes> mask{};

        bool matches(const Packet& packet) const;
    };

  private:
    static constexpr std::uint16_t no_clause = 0xffff;
    void add_pattern(std::string_view pattern, const Arg& arg, std::uint8_t output, Args& args);
    bool append(const Clause& clause);  // false: no memory
    std::uint16_t classify(const Packet& packet) const;

    OwnedArray<Clause> clauses_;  // `count_` of them in use: the patterns' clauses one after the other; `-` is a clause of length 0
    std::size_t count_ = 0;
};

}  // namespace unibpf
