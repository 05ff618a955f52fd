// A virtio network device as a Nic: no offloads, one receive and one transmit queue, frames DMA straight into packet slots.
//
// The net header lies right before the frame, inside the slot: in the headroom on receive, in the headroom or the device room
// on transmit (so even a frame whose program used all of the headroom can be sent without a copy).
#pragma once

#include "guest/drivers/nic.hpp"
#include "guest/drivers/transport.hpp"

namespace unibpf {

class VirtioNet final : public Nic {
  public:
    static constexpr std::uint16_t queue_entries = 256;  // of each queue, when the device allows so many

    VirtioNet(VirtioTransport& transport, PacketPool& pool) : transport_{transport}, pool_{pool} {}

    // Initialises the device (virtio 1.2, 3.1.1); `rings` is memory for both queues, see ring_memory. The error names the step.
    Status start(std::span<std::byte> rings);
    static constexpr std::size_t ring_memory() { return 2 * one_ring(); }

    std::size_t receive(Batch& batch) override;
    void transmit(Batch&& batch) override;
    std::size_t transmit_room() override;
    void flush() override;
    bool wait_for_interrupt(bool wanted) override;
    bool interrupts() const override { return transport_.interrupts(); }

  private:
    static constexpr std::size_t one_ring() {
        return (Virtqueue::ring_bytes(queue_entries) + virtio::legacy_ring_align - 1) & ~(virtio::legacy_ring_align - 1);
    }
    Status start_queue(std::uint16_t index, Virtqueue& queue, std::span<std::byte> memory);
    bool accept_frame(Virtqueue::Completion& done);
    bool part_of_long_frame(const Virtqueue::Completion& done);
    bool keep_ring();
    void offer(PacketPtr packet);
    void refill();
    void send(PacketPtr packet);
    void reclaim();

    VirtioTransport& transport_;
    PacketPool& pool_;
    std::uint16_t header_ = sizeof(virtio::NetHeader);
    bool merged_ = false;           // a frame that is longer than a buffer takes several
    std::uint16_t parts_left_ = 0;  // buffers to come of the long frame that is being dropped
    Virtqueue rx_;
    Virtqueue tx_;
};

}  // namespace unibpf
