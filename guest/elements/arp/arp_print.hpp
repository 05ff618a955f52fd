#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// ARPPrint - writes ARP packets to the console
//
//   ARPPrint([LABEL] [, TIMESTAMP bool, ETHER bool, ACTIVE bool])
//
// One line for each ARP packet, as tcpdump(1) shows them: who-has, reply. TIMESTAMP (default true) puts its arrival before it, ETHER the Ethernet
// addresses. Input: Ethernet frames; others than ARP pass without a line.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read), active (read, write).
// Example: FromDevice(eth0) -> ARPPrint(in) -> Discard;
class ARPPrint : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    void print(const Packet& packet) const;

    std::string_view label_;
    bool timestamp_ = true;
    bool ether_ = false;
    bool active_ = true;
    void (*write_)(std::string_view) = nullptr;
};

}  // namespace unibpf
