// FlowTable: flows that a rewriter changes, found by what packets of either direction look like.
//
// Everything is made at the start: `capacity` flows and a hash over their two sides. A flow whose time is over counts as absent and its place is
// taken when it is met. A full table gives up the flow that was quiet for longest among those that the search meets, unless all are within
// their guaranteed time: then there is no room.
#pragma once

#include <cstdint>

#include "guest/core/heap.hpp"

namespace unibpf {

// Addresses in host order. What a kind of rewriter does not look at is 0.
struct FlowKey {
    std::uint32_t source = 0;
    std::uint32_t destination = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;

    bool operator==(const FlowKey&) const = default;
    FlowKey reversed() const { return {destination, source, destination_port, source_port}; }
};

struct FlowSide {
    FlowKey key;    // of packets before
    FlowKey after;  // and what they become
    std::uint16_t ip_change = 0;         // what the header's checksum changes by (RFC 1624)
    std::uint16_t transport_change = 0;  // and that of what it carries
    std::uint32_t next = 0;              // in its bucket
};

struct Flow {
    FlowSide sides[2];  // forward, reverse
    std::uint64_t last_ns = 0;
    std::uint64_t timeout_ns = 0;
    std::uint16_t outputs[2] = {0, 0};
    std::uint8_t protocol = 0;
    std::uint8_t seen = 0;  // TCP: which sides sent data, which ended
    bool used = false;
};

class FlowTable {
  public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct Found {
        Flow* flow = nullptr;
        unsigned side = 0;
        explicit operator bool() const { return flow != nullptr; }
    };

    bool prepare(std::size_t capacity);  // false: no memory
    Found find(const FlowKey& key, std::uint8_t protocol, std::uint64_t now_ns);
    // A flow from `forward` to `rewritten`, neither of which `find` finds. Null: no room.
    Flow* add(const FlowKey& forward, const FlowKey& rewritten, std::uint8_t protocol, std::uint64_t now_ns, std::uint64_t guarantee_ns);
    std::size_t size() const { return size_; }
    std::size_t capacity() const { return flows_.size(); }
    std::span<const Flow> flows() const { return flows_.span(); }

  private:
    // Sides are numbered two a flow.
    std::uint32_t& bucket_of(const FlowKey& key, std::uint8_t protocol) const;
    FlowSide& side(std::uint32_t number) const { return flows_[number / 2].sides[number % 2]; }
    void link(std::uint32_t number, std::uint8_t protocol);
    void unlink(std::uint32_t number, std::uint8_t protocol);
    void remove(std::size_t flow);
    std::size_t place(std::uint64_t now_ns, std::uint64_t guarantee_ns);

    OwnedArray<Flow> flows_;
    OwnedArray<std::uint32_t> buckets_;
    unsigned bits_ = 0;
    std::size_t size_ = 0;
    std::size_t hand_ = 0;
};

}  // namespace unibpf
