// Outflow: packets on their way out of one push output, for elements that send more, fewer or other packets than they got.
#pragma once

#include <utility>

#include "guest/graph/element.hpp"

namespace unibpf {

class Outflow {
  public:
    Outflow(const Element& element, unsigned port) : element_{element}, port_{port} {}
    ~Outflow() { flush(); }
    Outflow(const Outflow&) = delete;
    Outflow& operator=(const Outflow&) = delete;

    void put(PacketPtr&& packet) {
        if (batch_.full()) flush();
        batch_.push_back(std::move(packet));
    }
    void flush() {
        if (!batch_.empty()) element_.output(port_).push(std::move(batch_));
    }

  private:
    const Element& element_;
    unsigned port_;
    Batch batch_;
};

}  // namespace unibpf
