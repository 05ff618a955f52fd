// A bounded queue of packets between the main stack and the control stack: one side pushes, the other pops.
//
// Both run on one CPU, but the popping or pushing control stack can be preempted anywhere, so the indices are published like
// between two CPUs: the producer's release store of `head_` pairs with the consumer's acquire load and makes the slot's
// pointer visible; the consumer's release store of `tail_` pairs with the producer's acquire load and gives the slot back.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "guest/packet/packet.hpp"

namespace unibpf {

template <std::uint32_t capacity>
class FrameQueue {
    static_assert((capacity & (capacity - 1)) == 0, "the indices run freely");

  public:
    bool empty() const { return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire); }

    // False if full: the packet stays with the caller.
    bool push(PacketPtr& packet) {
        const std::uint32_t head = head_.load(std::memory_order_relaxed);
        if (head - tail_.load(std::memory_order_acquire) == capacity) return false;
        slots_[head % capacity] = packet.release();
        head_.store(head + 1, std::memory_order_release);
        return true;
    }
    PacketPtr pop() {
        const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
        if (head_.load(std::memory_order_acquire) == tail) return {};
        PacketPtr packet = PacketPtr::adopt(slots_[tail % capacity]);
        tail_.store(tail + 1, std::memory_order_release);
        return packet;
    }

  private:
    std::array<Packet*, capacity> slots_{};
    std::atomic<std::uint32_t> head_{0};
    std::atomic<std::uint32_t> tail_{0};
};

}  // namespace unibpf
