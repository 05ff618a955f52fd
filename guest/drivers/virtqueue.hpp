// One split virtqueue (virtio 1.2, 2.7) whose buffers are packets, one descriptor each.
//
// What the device writes is hostile: an id is taken only if it names a descriptor the device holds, a length only if it is not
// above what that descriptor offered. A packet is owned by the queue from `add` until `take` gives it back.
// A device that lies in its used index makes the driver count bad ids, nothing worse.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "guest/drivers/virtio.hpp"
#include "guest/packet/packet.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

class Virtqueue {
  public:
    static constexpr std::uint16_t most_descriptors = 256;

    enum class Taken : std::uint8_t {
        nothing,
        packet,
        bad_id,
        bad_length
    };
    struct Completion {
        Taken what = Taken::nothing;
        PacketPtr packet;          // set when what is packet or bad_length
        std::uint32_t length = 0;  // bytes the device wrote
    };

    // Bytes of ring memory for `size` entries, legacy layout (which suits modern devices as well).
    static constexpr std::size_t ring_bytes(std::uint16_t size) {
        return used_offset(size) + 6 + sizeof(virtio::UsedElement) * size;
    }

    // `memory` is 4096-aligned and of ring_bytes(size); `size` is a power of two (2.7). The rings are zeroed here.
    void attach(std::span<std::byte> memory, std::uint16_t size);

    std::uint16_t size() const { return size_; }
    std::uint16_t free_descriptors() const { return free_count_; }
    std::uint64_t descriptors_address() const { return platform::device_address(descriptors_); }
    std::uint64_t available_address() const { return platform::device_address(available_); }
    std::uint64_t used_address() const { return platform::device_address(used_); }

    // Hands `length` bytes at `address`, which lie inside the packet's slot, to the device at the next publish.
    // False when no descriptor is free; the packet stays with the caller.
    bool add(PacketPtr& packet, std::uint64_t address, std::uint32_t length, bool device_writes);
    // Makes everything added visible to the device. True when the device wants a kick for it.
    bool publish();
    Completion take();
    bool has_completions() const { return used_index().load(std::memory_order_acquire) != seen_; }
    void want_interrupts(bool wanted);

  private:
    static constexpr std::size_t available_offset(std::uint16_t size) { return sizeof(virtio::Descriptor) * size; }
    static constexpr std::size_t used_offset(std::uint16_t size) {
        const std::size_t end = available_offset(size) + 6 + 2u * size;
        return (end + virtio::legacy_ring_align - 1) & ~(virtio::legacy_ring_align - 1);
    }
    // flags at 0, index at 2, entries from 4: the same for both rings (2.7.6, 2.7.8).
    std::atomic_ref<std::uint16_t> available_flags() const { return std::atomic_ref{available_[0]}; }
    std::atomic_ref<std::uint16_t> available_index() const { return std::atomic_ref{available_[1]}; }
    std::atomic_ref<std::uint16_t> used_flags() const { return std::atomic_ref{used_[0]}; }
    std::atomic_ref<std::uint16_t> used_index() const { return std::atomic_ref{used_[1]}; }

    virtio::Descriptor* descriptors_ = nullptr;
    std::uint16_t* available_ = nullptr;
    std::uint16_t* used_ = nullptr;
    std::uint16_t size_ = 0;
    std::uint16_t free_head_ = 0;   // free descriptors are linked by next_free_, which the device cannot see
    std::uint16_t free_count_ = 0;
    std::uint16_t added_ = 0;       // our available index, published or not
    std::uint16_t published_ = 0;
    std::uint16_t seen_ = 0;        // completions taken
    std::array<Packet*, most_descriptors> held_{};
    std::array<std::uint32_t, most_descriptors> offered_{};
    std::array<std::uint16_t, most_descriptors> next_free_{};
};

}  // namespace unibpf
