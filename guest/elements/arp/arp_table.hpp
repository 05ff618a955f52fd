// ArpTable: which Ethernet address an IP address has, and the packets that wait for one.
//
// Sets of eight entries by hash: nothing is allocated after `prepare`, and of entries that collide the one that was used longest ago goes.
#pragma once

#include <cstdint>

#include "guest/core/heap.hpp"
#include "guest/graph/args.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

struct ArpEntry {
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    std::uint32_t ip = 0;  // as in packets; 0: unused
    bool known = false;
    EtherAddress ether{};
    std::uint64_t heard_ns = 0;   // the last reply
    std::uint64_t used_ns = 0;
    std::uint64_t asked_ns = 0;   // the last query
    std::uint32_t first = none, last = none;  // of the packets that wait
};

class ArpTable {
  public:
    // False: no memory.
    bool prepare(std::size_t entries, std::size_t packets);

    ArpEntry* find(std::uint32_t ip) const;
    // The entry of that address, in place of the set's oldest one where it must be. The packets that waited there: `lost`.
    ArpEntry& claim(std::uint32_t ip, std::size_t& lost);
    // False: no room, the packet stays with the caller.
    bool wait(ArpEntry& entry, PacketPtr&& packet);
    PacketPtr next(ArpEntry& entry);  // null when none waits
    std::size_t waiting() const { return waiting_; }
    void release(ArpEntry& entry, std::size_t& lost);
    std::span<ArpEntry> entries() const { return entries_.span(); }

  private:
    struct Waiting {
        PacketPtr packet;
        std::uint32_t next = ArpEntry::none;
    };
    static constexpr std::size_t ways = 8;
    ArpEntry* set_of(std::uint32_t ip) const;

    OwnedArray<ArpEntry> entries_;
    unsigned set_bits_ = 0;
    OwnedArray<Waiting> slots_;
    std::uint32_t free_ = ArpEntry::none;
    std::size_t waiting_ = 0;
};

}  // namespace unibpf
