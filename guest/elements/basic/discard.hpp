#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Discard - drops every packet
//
//   Discard
//
// Drops what is pushed into it; on a pull input it pulls a batch in each round and drops that.
// Ports: one agnostic input.
// Drops: discarded.
// Handlers: count (read), reset_counts (write).
// Example: FromDevice(eth0) -> Discard;
class Discard : public Element {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
    bool has_task() const override { return input(0).connected(); }
    bool run_task() override;
    void reset() { reset_counters(); }
};

// Idle - neither sends nor passes packets
//
//   Idle
//
// Drops what is pushed into it and gives nothing to those who pull. It ends ports that must be connected.
// Ports: any number of agnostic inputs, any number of agnostic outputs.
// Drops: discarded.
// Example: Idle -> [1]switch_in;
class Idle : public Element {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
    void pull(unsigned, Batch&) override {}
};

}  // namespace unibpf
