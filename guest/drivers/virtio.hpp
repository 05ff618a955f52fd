// Virtio 1.2 numbers and shared-memory layouts, held equal to /usr/include/linux/virtio_*.h by tests/unit/guest/drivers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unibpf::virtio {

// 5: device types
inline constexpr std::uint32_t device_net = 1;

// 2.1: device status
inline constexpr std::uint8_t acknowledge = 1;
inline constexpr std::uint8_t driver_known = 2;
inline constexpr std::uint8_t driver_ok = 4;
inline constexpr std::uint8_t features_ok = 8;
inline constexpr std::uint8_t driver_failed = 128;

// 2.2, 5.1.3, 6: feature bits
inline constexpr std::uint64_t net_mac = 1ull << 5;
inline constexpr std::uint64_t net_merged_buffers = 1ull << 15;
inline constexpr std::uint64_t any_layout = 1ull << 27;
inline constexpr std::uint64_t version_1 = 1ull << 32;

// 5.1.2: queues of a network device without multiqueue
inline constexpr std::uint16_t receive_queue = 0;
inline constexpr std::uint16_t transmit_queue = 1;

// 5.1.6: the header before each frame; `num_buffers` exists since version 1, or with net_merged_buffers
struct NetHeader {
    std::uint8_t flags;
    std::uint8_t gso_type;
    std::uint16_t hdr_len;
    std::uint16_t gso_size;
    std::uint16_t csum_start;
    std::uint16_t csum_offset;
    std::uint16_t num_buffers;
};
static_assert(sizeof(NetHeader) == 12 && offsetof(NetHeader, num_buffers) == 10);
inline constexpr std::uint16_t legacy_header_bytes = 10;

// 2.7: split virtqueue
inline constexpr std::uint16_t desc_write = 2;           // the device writes this buffer
inline constexpr std::uint16_t avail_no_interrupt = 1;    // driver to device: do not interrupt
inline constexpr std::uint16_t used_no_notify = 1;        // device to driver: do not kick
inline constexpr std::size_t legacy_ring_align = 4096;    // 2.7.2

// 4.2.2: bits of mmio InterruptStatus and InterruptAck
inline constexpr std::uint32_t interrupt_queue = 1, interrupt_config = 2;

struct Descriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags;
    std::uint16_t next;
};
static_assert(sizeof(Descriptor) == 16 && offsetof(Descriptor, flags) == 12);

struct UsedElement {
    std::uint32_t id;
    std::uint32_t length;
};
static_assert(sizeof(UsedElement) == 8);

// 4.2.2 and 4.2.4: virtio over MMIO, register offsets
namespace mmio {
inline constexpr std::uint32_t virt_magic = 0x74726976;  // "virt"
inline constexpr std::uint32_t magic_value = 0x000, device_version = 0x004, device_id = 0x008;
inline constexpr std::uint32_t device_features = 0x010, device_features_sel = 0x014;
inline constexpr std::uint32_t driver_features = 0x020, driver_features_sel = 0x024;
inline constexpr std::uint32_t guest_page_size = 0x028;  // legacy
inline constexpr std::uint32_t queue_sel = 0x030, queue_num_max = 0x034, queue_num = 0x038;
inline constexpr std::uint32_t queue_align = 0x03c, queue_pfn = 0x040;  // legacy
inline constexpr std::uint32_t queue_ready = 0x044, queue_notify = 0x050;
inline constexpr std::uint32_t interrupt_status = 0x060, interrupt_ack = 0x064, status_offset = 0x070;
inline constexpr std::uint32_t queue_descriptors_low = 0x080, queue_available_low = 0x090, queue_used_low = 0x0a0;  // each: high at +4
inline constexpr std::uint32_t config_space = 0x100;
}  // namespace mmio

// 4.1: virtio over PCI
namespace pci {
inline constexpr std::uint16_t virtio_vendor = 0x1af4;
inline constexpr std::uint16_t transitional_net = 0x1000, modern_net = 0x1041;
inline constexpr std::uint8_t cap_vendor_specific = 0x09, cap_msix = 0x11;
inline constexpr std::uint8_t cfg_common = 1, cfg_notify = 2, cfg_isr = 3, cfg_device = 4;

// 4.1.4.3: common configuration
struct CommonConfig {
    std::uint32_t device_feature_select;
    std::uint32_t device_feature;
    std::uint32_t driver_feature_select;
    std::uint32_t driver_feature;
    std::uint16_t config_msix_vector;
    std::uint16_t num_queues;
    std::uint8_t device_status;
    std::uint8_t config_generation;
    std::uint16_t queue_select;
    std::uint16_t queue_size;
    std::uint16_t queue_msix_vector;
    std::uint16_t queue_enable;
    std::uint16_t queue_notify_off;
    std::uint32_t queue_desc_low, queue_desc_high;
    std::uint32_t queue_driver_low, queue_driver_high;
    std::uint32_t queue_device_low, queue_device_high;
};
static_assert(sizeof(CommonConfig) == 56 && offsetof(CommonConfig, device_status) == 20 &&
              offsetof(CommonConfig, queue_select) == 22 && offsetof(CommonConfig, queue_desc_low) == 32);
inline constexpr std::uint16_t no_vector = 0xffff;  // 4.1.5.1.2

// PCI Local Bus 3.0, 6.8.2: MSI-X capability and table entry
inline constexpr std::uint8_t msix_control = 2, msix_table = 4;
inline constexpr std::uint16_t msix_enable = 0x8000;
struct MsixEntry {
    std::uint32_t address_low, address_high, data, control;
};
static_assert(sizeof(MsixEntry) == 16);
}  // namespace pci

}  // namespace unibpf::virtio
