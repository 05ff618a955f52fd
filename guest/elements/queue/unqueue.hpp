#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Unqueue - pulls packets and pushes them on
//
//   Unqueue
//
// In each round pulls one batch and pushes it out.
// Ports: one pull input, one push output.
// Handlers: count (read), reset_counts (write).
// Example: Queue -> Unqueue -> Discard;
class Unqueue : public Element {
  public:
    static const ElementClass class_row;

    bool has_task() const override { return true; }
    bool run_task() override;
    void reset() { reset_counters(); }
};

}  // namespace unibpf
