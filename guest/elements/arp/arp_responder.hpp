#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// ARPResponder - answers ARP requests
//
//   ARPResponder(IP[/MASK] ... ETHER, ...)
//
// Each argument is one or more addresses or prefixes and the Ethernet address that stands for them; a NIC's name means that
// NIC's address. Requests for such an address are turned into replies and leave by output 0. Everything else leaves by
// output 1 if there is one. Input: Ethernet frames.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: not-ours.
// Handlers: count, drops (read).
// Example: Classifier(12/0806 20/0001) -> ARPResponder(10.0.0.1 eth0) -> Queue -> ToDevice(eth0);
class ARPResponder : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    struct Entry {
        IpPrefix prefix;
        EtherAddress ether{};
        std::string_view device;  // empty when `ether` was given
    };
    void add_entries(const Arg& arg, Args& args);
    const Entry* find(const std::uint8_t* ip) const;
    bool answer(Packet& packet) const;

    static constexpr std::size_t max_addresses = 16;
    std::array<Entry, max_addresses> entries_;
    std::size_t count_ = 0;
};

}  // namespace unibpf
