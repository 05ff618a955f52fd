#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Tee - sends a copy of each packet out of every output
//
//   Tee([N])
//
// The packet itself leaves by output 0, copies by the others. N, if given, must be the number of outputs.
// Ports: one push input, one or more push outputs.
// Drops: no-buffer.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> t :: Tee -> Queue -> ToDevice(eth1); t[1] -> Print(seen) -> Discard;
class Tee : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;

  private:
    PacketPool* pool_ = nullptr;
};

}  // namespace unibpf
