// Virtio over PCI, modern interface (virtio 1.2, 4.1): the structures are found through vendor capabilities.
#include "guest/core/heap.hpp"
#include "guest/drivers/transports/pci.hpp"
#include "guest/drivers/transport.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

namespace vp = virtio::pci;

class PciTransport final : public VirtioTransport {
  public:
    // The capabilities' structures, as addresses; false when one is missing or lies in a BAR that cannot be reached.
    bool locate(const pci::Function& function) {
        for (std::uint8_t cap = function.capability(vp::cap_vendor_specific); cap != 0;
             cap = function.capability(vp::cap_vendor_specific, cap)) {
            // 4.1.4: cfg_type at 3, bar at 4, offset at 8, length at 12, notify_off_multiplier at 16.
            const std::uint8_t type = function.read8(cap + 3);
            std::uint64_t* place = type == vp::cfg_common   ? &common_
                                   : type == vp::cfg_notify ? &notify_
                                   : type == vp::cfg_device ? &device_
                                                            : nullptr;
            if (place == nullptr || *place != 0) continue;  // 4.1.4.1: the first of a type is the preferred one
            const std::uint64_t bar = function.memory_bar(function.read8(cap + 4));
            if (bar == 0) continue;
            *place = bar + function.read32(cap + 8);
            if (type == vp::cfg_notify) multiplier_ = function.read32(cap + 16);
        }
        function.enable_bus_master();
        route_interrupt(function);
        return common_ != 0 && notify_ != 0 && device_ != 0;
    }

    bool legacy() const override { return false; }
    void reset() override {
        common()->device_status = 0;
        while (common()->device_status != 0) {}  // 4.1.4.3.2
    }
    std::uint8_t status() override { return common()->device_status; }
    void add_status(std::uint8_t bits) override { common()->device_status = common()->device_status | bits; }

    std::uint64_t features() override {
        common()->device_feature_select = 0;
        const std::uint64_t low = common()->device_feature;
        common()->device_feature_select = 1;
        return low | std::uint64_t{common()->device_feature} << 32;
    }
    void accept_features(std::uint64_t features) override {
        common()->driver_feature_select = 0;
        common()->driver_feature = static_cast<std::uint32_t>(features);
        common()->driver_feature_select = 1;
        common()->driver_feature = static_cast<std::uint32_t>(features >> 32);
    }
    std::uint8_t config(std::uint32_t offset) override { return *reinterpret_cast<volatile std::uint8_t*>(device_ + offset); }

    std::uint16_t queue_limit(std::uint16_t queue) override {
        common()->queue_select = queue;
        const std::uint16_t most = common()->queue_size;
        return most < Virtqueue::most_descriptors ? most : Virtqueue::most_descriptors;
    }
    void start_queue(std::uint16_t queue, const Virtqueue& ring) override {
        common()->queue_select = queue;
        common()->queue_size = ring.size();
        common()->queue_msix_vector = interrupts_ && queue == virtio::receive_queue ? 0 : vp::no_vector;
        common()->queue_desc_low = static_cast<std::uint32_t>(ring.descriptors_address());
        common()->queue_desc_high = static_cast<std::uint32_t>(ring.descriptors_address() >> 32);
        common()->queue_driver_low = static_cast<std::uint32_t>(ring.available_address());
        common()->queue_driver_high = static_cast<std::uint32_t>(ring.available_address() >> 32);
        common()->queue_device_low = static_cast<std::uint32_t>(ring.used_address());
        common()->queue_device_high = static_cast<std::uint32_t>(ring.used_address() >> 32);
        if (queue < doorbells_.size()) doorbells_[queue] = notify_ + std::uint64_t{common()->queue_notify_off} * multiplier_;
        common()->queue_enable = 1;
    }
    bool interrupts() const override { return interrupts_; }
    void notify(std::uint16_t queue) override {
        if (queue < doorbells_.size()) *reinterpret_cast<volatile std::uint16_t*>(doorbells_[queue]) = queue;
    }

  private:
    // MSI-X entry 0 wakes the guest; it is the receive queue's. Without MSI-X the guest polls.
    void route_interrupt(const pci::Function& function) {
        const platform::InterruptMessage message = platform::wake_message();
        const std::uint8_t cap = function.capability(vp::cap_msix);
        if (cap == 0 || message.address == 0) return;
        const std::uint32_t table = function.read32(cap + vp::msix_table);  // offset, and the BAR in the low three bits
        const std::uint64_t bar = function.memory_bar(table & 7);
        if (bar == 0) return;
        // Sound: the table lies in device memory, mapped one to one.
        auto* entry = reinterpret_cast<volatile vp::MsixEntry*>(bar + (table & ~7u));
        entry->address_low = static_cast<std::uint32_t>(message.address);
        entry->address_high = static_cast<std::uint32_t>(message.address >> 32);
        entry->data = message.data;
        entry->control = 0;  // not masked
        function.write16(cap + vp::msix_control, function.read16(cap + vp::msix_control) | vp::msix_enable);
        interrupts_ = true;
    }

    // Sound: the BAR is device memory mapped one to one; the struct's fields are accessed at their own width (4.1.3.1).
    volatile vp::CommonConfig* common() const { return reinterpret_cast<volatile vp::CommonConfig*>(common_); }

    std::uint64_t common_ = 0;
    std::uint64_t notify_ = 0;
    std::uint64_t device_ = 0;
    std::uint32_t multiplier_ = 0;
    bool interrupts_ = false;
    std::array<std::uint64_t, 2> doorbells_{};
};

struct Search {
    std::span<VirtioTransport*> found;
    std::size_t count = 0;
};

Owned<PciTransport> kept[16];

void consider(void* context, const pci::Function& function) {
    auto& search = *static_cast<Search*>(context);
    if (function.vendor() != vp::virtio_vendor) return;
    if (function.device() != vp::transitional_net && function.device() != vp::modern_net) return;
    if (search.count == search.found.size() || search.count == std::size(kept)) return;
    Owned<PciTransport> transport = make<PciTransport>();
    if (!transport || !transport->locate(function)) return;
    search.found[search.count] = transport.get();
    kept[search.count++] = std::move(transport);
}

}  // namespace

std::size_t probe_virtio_pci(std::span<VirtioTransport*> found) {
    Search search{found};
    pci::for_each_function(consider, &search);
    return search.count;
}

}  // namespace unibpf
