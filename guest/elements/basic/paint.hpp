#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Paint - sets the paint annotation of packets
//
//   Paint(COLOR)
//
// COLOR is a number from 0 to 255.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: FromDevice(eth0) -> Paint(1) -> Discard;
class Paint : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t color_ = 0;
};

// CheckPaint - sorts out packets of other colors
//
//   CheckPaint(COLOR)
//
// Packets painted COLOR leave by output 0, others by output 1 if there is one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-match.
// Handlers: count, drops (read).
// Example: c :: CheckPaint(1); c[0] -> Discard; c[1] -> Discard;
class CheckPaint : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t color_ = 0;
};

}  // namespace unibpf
