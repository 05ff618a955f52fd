#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Unqueue - pulls packets and pushes them on
//
//   Unqueue([BURST] [, ACTIVE bool, LIMIT n])
//
// In each round pulls and pushes one batch, or up to BURST packets where that is more. While ACTIVE is false, and after LIMIT packets (none: -1), it rests.
// Ports: one pull input, one push output.
// Handlers: count (read), active (read, write), reset_counts (write).
// Example: Queue -> Unqueue -> Discard;
class Unqueue : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    bool has_task() const override { return true; }
    bool run_task() override;
    void take_state(Element& old) override;
    void reset();

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    void take(Batch& batch);

    std::int32_t burst_ = 1;
    std::int64_t limit_ = -1;
    std::uint64_t moved_ = 0;
    bool active_ = true;
    Batch held_;  // what LIMIT left of a batch
};

// Unqueue2 - pulls packets and pushes them on, as Unqueue
//
//   Unqueue2([BURST] [, ACTIVE bool, LIMIT n])
//
// The same element by its other name.
// Ports: one pull input, one push output.
// Handlers: count (read), active (read, write), reset_counts (write).
// Example: Queue -> Unqueue2 -> Discard;
class Unqueue2 : public Unqueue {
  public:
    static const ElementClass class_row;
};

}  // namespace unibpf
