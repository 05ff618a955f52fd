#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Strip - takes bytes off the front of packets
//
//   Strip(LENGTH)
//
// Takes LENGTH bytes away. Packets that are shorter are dropped.
// Ports: one agnostic input, one agnostic output.
// Drops: too-short.
// Handlers: count, drops (read).
// Example: Strip(14) -> CheckIPHeader -> Discard;
class Strip : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t length_ = 0;
};

// Unstrip - puts bytes back on the front of packets
//
//   Unstrip(LENGTH)
//
// Gives back LENGTH bytes that Strip took away: they hold what they held before.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: Strip(14) -> CheckIPHeader -> Unstrip(14) -> Discard;
class Unstrip : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t length_ = 0;
};

}  // namespace unibpf
