// The device's side of a split virtqueue, written from virtio 1.2 section 2.7 and not from the driver: reads what the driver
// published, and can answer well or badly.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "guest/drivers/transport.hpp"
#include "guest/drivers/virtqueue.hpp"

namespace other_side {

struct Buffer {
    std::uint16_t id;
    std::span<std::uint8_t> bytes;
    bool writable;
};

class DeviceQueue {
  public:
    explicit DeviceQueue(const unibpf::Virtqueue& queue)
        : size_{queue.size()},
          descriptors_{reinterpret_cast<const unibpf::virtio::Descriptor*>(queue.descriptors_address())},
          available_{reinterpret_cast<std::uint16_t*>(queue.available_address())},
          used_{reinterpret_cast<std::uint16_t*>(queue.used_address())} {}

    std::optional<Buffer> next() {
        if (std::atomic_ref{available_[1]}.load(std::memory_order_acquire) == taken_) return std::nullopt;
        const std::uint16_t id = available_[2 + taken_++ % size_];
        const auto& descriptor = descriptors_[id];
        return Buffer{id, {reinterpret_cast<std::uint8_t*>(descriptor.address), descriptor.length}, (descriptor.flags & 2) != 0};
    }
    void complete(std::uint32_t id, std::uint32_t length) {
        const std::uint32_t element[2] = {id, length};
        std::memcpy(used_ + 2 + 4 * (given_ % size_), element, sizeof element);
        std::atomic_ref{used_[1]}.store(++given_, std::memory_order_release);
    }
    void forbid_kicks() { used_[0] = 1; }
    bool interrupts_wanted() const { return (available_[0] & 1) == 0; }

  private:
    std::uint16_t size_;
    const unibpf::virtio::Descriptor* descriptors_;
    std::uint16_t* available_;
    std::uint16_t* used_;
    std::uint16_t taken_ = 0;
    std::uint16_t given_ = 0;
};

// A network device behind the transport seam.
class Device final : public unibpf::VirtioTransport {
  public:
    bool is_legacy = false;
    std::uint64_t offered = 1ull << 32 | 1 << 27 | 1 << 5;
    std::uint64_t accepted = 0;
    std::uint8_t refuse_status = 0;  // bits the device will not let stand
    std::uint8_t status_bits = 0;
    std::uint16_t limit = 64;
    std::vector<DeviceQueue> queues;
    int kicks[2] = {0, 0};

    bool legacy() const override { return is_legacy; }
    void reset() override { status_bits = 0; }
    std::uint8_t status() override { return status_bits; }
    void add_status(std::uint8_t bits) override { status_bits = static_cast<std::uint8_t>((status_bits | bits) & ~refuse_status); }
    std::uint64_t features() override { return offered; }
    void accept_features(std::uint64_t features) override { accepted = features; }
    std::uint8_t config(std::uint32_t offset) override { return static_cast<std::uint8_t>(0x50 + offset); }
    std::uint16_t queue_limit(std::uint16_t) override { return limit; }
    void start_queue(std::uint16_t, const unibpf::Virtqueue& ring) override { queues.emplace_back(ring); }
    void notify(std::uint16_t queue) override { ++kicks[queue]; }
    bool interrupts() const override { return true; }
};

}  // namespace other_side
