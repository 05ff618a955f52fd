#pragma once

#include "guest/elements/arp/arp_table.hpp"
#include "guest/elements/outflow.hpp"
#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf {

// ARPQuerier - finds out the Ethernet addresses of next hops
//
//   ARPQuerier(IP[/MASK], ETHER [, TIMEOUT t, POLL_TIMEOUT t, CAPACITY n, ENTRY_CAPACITY n, BROADCAST ip, BROADCAST_POLL bool])
//
// Input 0 takes IP packets: each gets an Ethernet header from ETHER to the address of its destination annotation. Where nobody knows that, the packet
// waits and a query leaves, by output 1 if there is one, else by output 0; at most ten a second for an address. Input 1 takes ARP replies. At most
// CAPACITY packets (default 256) wait, each for three seconds; ENTRY_CAPACITY addresses (default 1024) are remembered, for TIMEOUT (default 5min) after their last reply,
// and asked again after POLL_TIMEOUT (default 1min; 0 never). BROADCAST and 255.255.255.255 mean all, groups their Ethernet group (RFC 1112 6.4). ETHER may be a
// NIC's name; one argument alone, a name of AddressInfo, gives both. After a graph swap the new element knows what the old one knew.
// Ports: 2 to 2 push inputs, one or two push outputs.
// Drops: unresolved, no-headroom, no-buffer, consumed, bad-header.
// Handlers: count, drops, ipaddr, table, queries, responses, length (read), insert, delete (write).
// Example: q :: ARPQuerier(10.0.0.1, eth0) -> Queue -> ToDevice(eth0); c[1] -> [1]q;
class ARPQuerier : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void run_timer(Timer& timer) override;
    void take_state(Element& old) override;

    IpAddress ip() const { return address_; }
    std::uint64_t queries() const { return queries_; }
    std::uint64_t responses() const { return responses_; }
    std::uint64_t waiting() const { return table_.waiting(); }
    void print(Text& out) const;
    Status insert(std::string_view text);
    Status forget(std::string_view text);

  private:
    void send(PacketPtr packet, Outflow& out, Outflow& queries);
    bool encapsulate(Packet& packet, const EtherAddress& to) const;
    void emit(PacketPtr packet, const EtherAddress& to, Outflow& out);
    void ask(ArpEntry& entry, Outflow& queries);
    void hear(Packet& packet, Outflow& out);
    void learn(std::uint32_t ip, const EtherAddress& ether, Outflow& out);
    bool is_broadcast(std::uint32_t ip) const;

    IpAddress address_{};
    EtherAddress ether_{};
    std::string_view device_;
    std::uint32_t broadcast_ = 0;  // as in packets
    Duration timeout_{300'000'000'000};
    Duration poll_timeout_{60'000'000'000};
    std::uint32_t capacity_ = 256;
    std::uint32_t entry_capacity_ = 1024;
    bool broadcast_poll_ = false;
    ArpTable table_;
    Timer timer_;
    PacketPool* pool_ = nullptr;
    std::uint64_t queries_ = 0;
    std::uint64_t responses_ = 0;
};

}  // namespace unibpf
