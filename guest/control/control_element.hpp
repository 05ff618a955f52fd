// Control :: Control
//
// Shows the control channel in the graph. The channel itself (CoAP on the management NIC) runs on its own stack and never
// touches a packet of the graph, so the element has no ports; a graph needs one to have its counters, not to be updated.
//
// Ports: none.
// Handlers (read): `requests`, `duplicates`, `malformed`, `strangers_dropped`, `stagings`, `activations`, `rollbacks`, `refused`; `refusals`
//   gives one "rule=count" a rule that ever refused, `frames` one "kind=count" a kind of management frame.
// Example:
//     control :: Control;
#pragma once

#include "guest/control/update/context.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

class ControlElement final : public Element {
  public:
    void initialize(Environment& environment, Errors& errors) override;

    // Null in a guest without a channel.
    const ControlContext* context() const { return context_; }

  private:
    const ControlContext* context_ = nullptr;
};

// The row that main adds to its Registry.
extern const ElementClass control_element_class;

}  // namespace unibpf
