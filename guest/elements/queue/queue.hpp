#pragma once

#include "guest/core/heap.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// Queue - stores packets in a first-in, first-out queue
//
//   Queue([CAPACITY])
//
// Packets pushed in wait until they are pulled out. At most CAPACITY packets wait (default 1000); what comes when the queue
// is full is dropped, and so is what comes when the guest's packet slots run out and 32 packets wait already. A graph whose
// queues hold more packets than the guest has slots is refused. After a graph swap the new queue goes on with the old one's packets.
// Ports: one push input, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> Queue(64) -> ToDevice(eth1);
class Queue : public Element {
  public:
    static constexpr std::uint32_t default_capacity = 1000;
    static constexpr std::uint32_t max_capacity = 65536;
    static constexpr std::uint32_t own_packets = 32;  // may wait however few slots are left
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void pull(unsigned port, Batch& batch) override;
    void take_state(Element& old) override;

    // Divides the packet slots among the uses of a graph that is built, once. Errors: its queues hold more than there is.
    static void divide_slots(const Router& router, PacketPool& pool, Errors& errors);

    std::uint32_t length() const { return length_; }
    std::uint32_t highwater() const { return highwater_; }
    std::uint32_t capacity() const { return capacity_; }
    std::size_t queue_capacity() const override { return capacity_; }
    void reset();

  protected:
    bool has_room() const { return length_ < capacity_ && (length_ < own_packets || !pool_ || pool_->may_wait()); }
    void append(PacketPtr&& packet);
    PacketPtr take_front();
    void prepend(PacketPtr&& packet);  // before the first one
    PacketPtr take_back();

  private:
    // A ring: `length_` packets from `first_` on, modulo the capacity.
    OwnedArray<PacketPtr> ring_;
    const PacketPool* pool_ = nullptr;
    std::uint32_t capacity_ = default_capacity;
    std::uint32_t first_ = 0;
    std::uint32_t length_ = 0;
    std::uint32_t highwater_ = 0;
};

}  // namespace unibpf
