#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// ToDevice - sends packets to a network interface
//
//   ToDevice(DEVNAME)
//
// Hands frames to the NIC named DEVNAME. On a pull input it pulls one batch in each round; frames pushed into it are sent
// at once. What the device has no room for is dropped and counted by the NIC. `mgmt` cannot be named.
// Ports: one agnostic input.
// Handlers: count (read), reset_counts (write).
// Example: FromDevice(eth0) -> Queue -> ToDevice(eth1);
class ToDevice : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    bool has_task() const override { return input(0).connected(); }
    bool run_task() override;
    void reset() { reset_counters(); }

  private:
    std::string_view device_;
    Nic* nic_ = nullptr;
};

}  // namespace unibpf
