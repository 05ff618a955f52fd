#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// PaintTee - copies packets of one color
//
//   PaintTee(COLOR)
//
// All packets leave by output 0; of those painted COLOR a copy leaves by output 1 before.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-buffer.
// Handlers: count, drops (read).
// Example: p :: PaintTee(1) -> Discard; p[1] -> ICMPError(10.0.0.1, redirect, host) -> Discard;
class PaintTee : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    PacketPool* pool_ = nullptr;
    std::uint8_t color_ = 0;
};

// PullTee - copies packets that are pulled
//
//   PullTee([N])
//
// Who pulls output 0 gets the packet; copies are pushed out of the others. N, if given, must be the number of outputs.
// Ports: one pull input, one or more outputs (pull, further ones push).
// Drops: no-buffer.
// Handlers: count, drops (read).
// Example: Queue -> t :: PullTee -> ToDevice(eth0); t[1] -> Discard;
class PullTee : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    PacketPool* pool_ = nullptr;
};

}  // namespace unibpf
