#pragma once

#include "guest/elements/sort/filter/decision.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// What IPClassifier and IPFilter share: packets leave by the output that a program of decisions says.
class PatternSorter : public Element {
  public:
    void push(unsigned port, Batch&& batch) override;

    const DecisionProgram& program() const { return program_; }
    void reset() { reset_counters(); }

  protected:
    struct Rule {
        std::string_view pattern;
        std::uint16_t target;  // as of DecisionProgram
        Place place;
    };
    // The first rule whose pattern matches counts.
    void build(std::span<const Rule> rules, Args& args);
    void set_reason(DropReason reason) { reason_ = reason; }

  private:
    DecisionProgram program_;
    DropReason reason_ = DropReason::no_match;
};

// IPClassifier - sorts IPv4 packets by patterns
//
//   IPClassifier(PATTERN, ...)
//
// A packet leaves by the output of the first pattern that it matches. Patterns are those of tcpdump(1) as Click has them: `src|dst|src and dst|src
// or dst` before `host IP`, `net IP/LEN`, `net IP mask M`, `[tcp|udp] port P`; `ip proto P`, `tcp`, `udp`, `icmp`, `icmp type T`, `tcp opt
// FLAG`, `tcp win N`, `ip vers|hl|tos|dscp|ecn|id|len|ttl N`, `ip frag`, `ip unfrag`, `ip ect`, `ip ce`, `ip[6:2] & 0x1fff = 0`; `=`, `!=`, `<`,
// `>`, `<=`, `>=` before a value; `and`, `or`, `not`, `&&`, `||`, `!`, `( )`, `a ? b : c`; `-` or `all`. Ports, flags and types are never those of
// later fragments. Packets need a marked IP header.
// Ports: one push input, any number of push outputs.
// Drops: no-match.
// Handlers: count, drops, program (read), reset_counts (write).
// Example: CheckIPHeader -> c :: IPClassifier(tcp dst port 80, udp and src net 10.0.0.0/8, -); c[0] -> Discard; c[1] -> Discard; c[2] -> Discard;
class IPClassifier : public PatternSorter {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
};

// IPFilter - lets IPv4 packets pass by rules
//
//   IPFilter(ACTION PATTERN, ...)
//
// The first rule whose pattern matches says what becomes of the packet: `allow` lets it leave by output 0, a number by that output, `drop`
// and `deny` drop it; `deny` means output 1 where there is one. What no rule matches is dropped. Patterns as for IPClassifier.
// Ports: one push input, any number of push outputs.
// Drops: denied.
// Handlers: count, drops, program (read), reset_counts (write).
// Example: CheckIPHeader -> IPFilter(deny src net 10.0.0.0/8, allow tcp dst port 22 or 80, drop all) -> Discard;
class IPFilter : public PatternSorter {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;

  private:
    bool read_action(std::string_view word, std::uint16_t& target) const;
};

}  // namespace unibpf
