// Virtio over MMIO (virtio 1.2, 4.2), version 2 and the legacy version 1 (4.2.4).
#include "guest/core/heap.hpp"
#include "guest/drivers/transport.hpp"

namespace unibpf {
namespace {

namespace reg = virtio::mmio;

class MmioTransport final : public VirtioTransport {
  public:
    explicit MmioTransport(std::uint64_t window) : window_{window}, legacy_{read(reg::kVersion) == 1} {}

    bool legacy() const override { return legacy_; }
    void reset() override {
        write(reg::kStatus, 0);
        if (legacy_) write(reg::kGuestPageSize, virtio::kLegacyRingAlign);
    }
    std::uint8_t status() override { return static_cast<std::uint8_t>(read(reg::kStatus)); }
    void add_status(std::uint8_t bits) override { write(reg::kStatus, read(reg::kStatus) | bits); }

    std::uint64_t features() override {
        write(reg::kDeviceFeaturesSel, 0);
        const std::uint64_t low = read(reg::kDeviceFeatures);
        if (legacy_) return low;
        write(reg::kDeviceFeaturesSel, 1);
        return low | std::uint64_t{read(reg::kDeviceFeatures)} << 32;
    }
    void accept_features(std::uint64_t features) override {
        write(reg::kDriverFeaturesSel, 0);
        write(reg::kDriverFeatures, static_cast<std::uint32_t>(features));
        if (legacy_) return;
        write(reg::kDriverFeaturesSel, 1);
        write(reg::kDriverFeatures, static_cast<std::uint32_t>(features >> 32));
    }

    std::uint8_t config(std::uint32_t offset) override {
        return *reinterpret_cast<volatile std::uint8_t*>(window_ + reg::kConfig + offset);
    }

    std::uint16_t queue_limit(std::uint16_t queue) override {
        write(reg::kQueueSel, queue);
        const std::uint32_t most = read(reg::kQueueNumMax);
        return static_cast<std::uint16_t>(most < Virtqueue::kMostEntries ? most : Virtqueue::kMostEntries);
    }

    // 4.2.3.2; legacy: 4.2.4 with one page number for all three parts.
    void start_queue(std::uint16_t queue, const Virtqueue& ring) override {
        write(reg::kQueueSel, queue);
        write(reg::kQueueNum, ring.size());
        if (legacy_) {
            write(reg::kQueueAlign, virtio::kLegacyRingAlign);
            write(reg::kQueuePfn, static_cast<std::uint32_t>(ring.descriptors_address() / virtio::kLegacyRingAlign));
            return;
        }
        write64(reg::kQueueDescLow, ring.descriptors_address());
        write64(reg::kQueueAvailLow, ring.available_address());
        write64(reg::kQueueUsedLow, ring.used_address());
        write(reg::kQueueReady, 1);
    }

    void notify(std::uint16_t queue) override { write(reg::kQueueNotify, queue); }
    bool interrupts() const override { return true; }
    void acknowledge_interrupt() override { write(reg::kInterruptAck, virtio::kInterruptQueue | virtio::kInterruptConfig); }

  private:
    // Sound: the platform names only windows of device memory, mapped one to one; every access is 32 bits wide (4.2.2).
    std::uint32_t read(std::uint32_t offset) const { return *reinterpret_cast<volatile std::uint32_t*>(window_ + offset); }
    void write(std::uint32_t offset, std::uint32_t value) { *reinterpret_cast<volatile std::uint32_t*>(window_ + offset) = value; }
    void write64(std::uint32_t offset, std::uint64_t value) {
        write(offset, static_cast<std::uint32_t>(value));
        write(offset + 4, static_cast<std::uint32_t>(value >> 32));
    }

    std::uint64_t window_;
    bool legacy_;
};

}  // namespace

VirtioTransport* probe_virtio_mmio(std::uint64_t window) {
    const auto read = [window](std::uint32_t offset) { return *reinterpret_cast<volatile std::uint32_t*>(window + offset); };
    if (read(reg::kMagicValue) != reg::kMagic) return nullptr;
    if (read(reg::kVersion) != 1 && read(reg::kVersion) != 2) return nullptr;
    if (read(reg::kDeviceId) != virtio::kDeviceNet) return nullptr;
    static Owned<MmioTransport> kept[24];  // a machine has at most so many windows (QEMU microvm)
    for (auto& slot : kept) {
        if (slot) continue;
        slot = make<MmioTransport>(window);
        return slot.get();
    }
    return nullptr;
}

}  // namespace unibpf
