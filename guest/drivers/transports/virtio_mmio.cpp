// Virtio over MMIO (virtio 1.2, 4.2), version 2 and the legacy version 1 (4.2.4).
#include "guest/core/heap.hpp"
#include "guest/drivers/transport.hpp"

namespace unibpf {
namespace {

namespace reg = virtio::mmio;

class MmioTransport final : public VirtioTransport {
  public:
    explicit MmioTransport(std::uint64_t window) : window_{window}, legacy_{read(reg::device_version) == 1} {}

    bool legacy() const override { return legacy_; }
    void reset() override {
        write(reg::status_offset, 0);
        if (legacy_) write(reg::guest_page_size, virtio::legacy_ring_align);
    }
    std::uint8_t status() override { return static_cast<std::uint8_t>(read(reg::status_offset)); }
    void add_status(std::uint8_t bits) override { write(reg::status_offset, read(reg::status_offset) | bits); }

    std::uint64_t features() override {
        write(reg::device_features_sel, 0);
        const std::uint64_t low = read(reg::device_features);
        if (legacy_) return low;
        write(reg::device_features_sel, 1);
        return low | std::uint64_t{read(reg::device_features)} << 32;
    }
    void accept_features(std::uint64_t features) override {
        write(reg::driver_features_sel, 0);
        write(reg::driver_features, static_cast<std::uint32_t>(features));
        if (legacy_) return;
        write(reg::driver_features_sel, 1);
        write(reg::driver_features, static_cast<std::uint32_t>(features >> 32));
    }

    std::uint8_t config(std::uint32_t offset) override {
        return *reinterpret_cast<volatile std::uint8_t*>(window_ + reg::config_space + offset);
    }

    std::uint16_t queue_limit(std::uint16_t queue) override {
        write(reg::queue_sel, queue);
        const std::uint32_t most = read(reg::queue_num_max);
        return static_cast<std::uint16_t>(most < Virtqueue::most_descriptors ? most : Virtqueue::most_descriptors);
    }

    // 4.2.3.2; legacy: 4.2.4 with one page number for all three parts.
    void start_queue(std::uint16_t queue, const Virtqueue& ring) override {
        write(reg::queue_sel, queue);
        write(reg::queue_num, ring.size());
        if (legacy_) {
            write(reg::queue_align, virtio::legacy_ring_align);
            write(reg::queue_pfn, static_cast<std::uint32_t>(ring.descriptors_address() / virtio::legacy_ring_align));
            return;
        }
        write64(reg::queue_descriptors_low, ring.descriptors_address());
        write64(reg::queue_available_low, ring.available_address());
        write64(reg::queue_used_low, ring.used_address());
        write(reg::queue_ready, 1);
    }

    void notify(std::uint16_t queue) override { write(reg::queue_notify, queue); }
    bool interrupts() const override { return true; }
    void acknowledge_interrupt() override { write(reg::interrupt_ack, virtio::interrupt_queue | virtio::interrupt_config); }

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
    if (read(reg::magic_value) != reg::virt_magic) return nullptr;
    if (read(reg::device_version) != 1 && read(reg::device_version) != 2) return nullptr;
    if (read(reg::device_id) != virtio::device_net) return nullptr;
    static Owned<MmioTransport> kept[24];  // a machine has at most so many windows (QEMU microvm)
    for (auto& slot : kept) {
        if (slot) continue;
        slot = make<MmioTransport>(window);
        return slot.get();
    }
    return nullptr;
}

}  // namespace unibpf
