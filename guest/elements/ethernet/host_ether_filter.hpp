#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// HostEtherFilter - drops Ethernet frames that are for others
//
//   HostEtherFilter(ETHER [, DROP_OWN bool, DROP_OTHER bool, OFFSET n])
//
// Sets the packet type annotation by the destination address: for this host, for all, for many, or for another one. Frames for another
// host leave by output 1 unless DROP_OTHER is false, frames from this host do where DROP_OWN is true. ETHER may be a NIC's name. The Ethernet header begins
// OFFSET bytes in.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: not-ours.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> HostEtherFilter(eth0) -> Discard;
class HostEtherFilter : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    bool for_us(Packet& packet) const;

    std::string_view device_;
    EtherAddress address_{};
    bool drop_own_ = false;
    bool drop_other_ = true;
    std::uint32_t offset_ = 0;
};

}  // namespace unibpf
