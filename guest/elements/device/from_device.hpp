#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// FromDevice - reads packets from a network interface
//
//   FromDevice(DEVNAME)
//
// Pushes the frames that arrive at the NIC named DEVNAME, one batch in each round, with their packet type annotation: for one host,
// for many or for all. A NIC has one reader. The management NIC
// `mgmt` belongs to Control: no graph can name it.
// Ports: one push output.
// Handlers: count (read), reset_counts (write).
// Example: FromDevice(eth0) -> Queue -> ToDevice(eth1);
class FromDevice : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    bool has_task() const override { return true; }
    bool run_task() override;
    void reset() { reset_counters(); }

  private:
    std::string_view device_;
    Nic* nic_ = nullptr;
};

}  // namespace unibpf
