// Virtio 1.2 numbers and shared-memory layouts, held equal to /usr/include/linux/virtio_*.h by tests/unit/guest/drivers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unibpf::virtio {

// 5: device types
inline constexpr std::uint32_t kDeviceNet = 1;

// 2.1: device status
inline constexpr std::uint8_t kAcknowledge = 1;
inline constexpr std::uint8_t kDriver = 2;
inline constexpr std::uint8_t kDriverOk = 4;
inline constexpr std::uint8_t kFeaturesOk = 8;
inline constexpr std::uint8_t kFailed = 128;

// 2.2, 5.1.3, 6: feature bits
inline constexpr std::uint64_t kNetMac = 1ull << 5;
inline constexpr std::uint64_t kAnyLayout = 1ull << 27;
inline constexpr std::uint64_t kVersion1 = 1ull << 32;

// 5.1.2: queues of a network device without multiqueue
inline constexpr std::uint16_t kReceiveQueue = 0;
inline constexpr std::uint16_t kTransmitQueue = 1;

// 5.1.6: the header before each frame; `num_buffers` exists since version 1
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
inline constexpr std::uint16_t kLegacyHeaderBytes = 10;

// 2.7: split virtqueue
inline constexpr std::uint16_t kDescWrite = 2;           // the device writes this buffer
inline constexpr std::uint16_t kAvailNoInterrupt = 1;    // driver to device: do not interrupt
inline constexpr std::uint16_t kUsedNoNotify = 1;        // device to driver: do not kick
inline constexpr std::size_t kLegacyRingAlign = 4096;    // 2.7.2

// 4.2.2: bits of mmio InterruptStatus and InterruptAck
inline constexpr std::uint32_t kInterruptQueue = 1, kInterruptConfig = 2;

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
inline constexpr std::uint32_t kMagic = 0x74726976;  // "virt"
inline constexpr std::uint32_t kMagicValue = 0x000, kVersion = 0x004, kDeviceId = 0x008;
inline constexpr std::uint32_t kDeviceFeatures = 0x010, kDeviceFeaturesSel = 0x014;
inline constexpr std::uint32_t kDriverFeatures = 0x020, kDriverFeaturesSel = 0x024;
inline constexpr std::uint32_t kGuestPageSize = 0x028;  // legacy
inline constexpr std::uint32_t kQueueSel = 0x030, kQueueNumMax = 0x034, kQueueNum = 0x038;
inline constexpr std::uint32_t kQueueAlign = 0x03c, kQueuePfn = 0x040;  // legacy
inline constexpr std::uint32_t kQueueReady = 0x044, kQueueNotify = 0x050;
inline constexpr std::uint32_t kInterruptStatus = 0x060, kInterruptAck = 0x064, kStatus = 0x070;
inline constexpr std::uint32_t kQueueDescLow = 0x080, kQueueAvailLow = 0x090, kQueueUsedLow = 0x0a0;  // each: high at +4
inline constexpr std::uint32_t kConfig = 0x100;
}  // namespace mmio

// 4.1: virtio over PCI
namespace pci {
inline constexpr std::uint16_t kVendor = 0x1af4;
inline constexpr std::uint16_t kTransitionalNet = 0x1000, kModernNet = 0x1041;
inline constexpr std::uint8_t kCapVendorSpecific = 0x09, kCapMsix = 0x11;
inline constexpr std::uint8_t kCfgCommon = 1, kCfgNotify = 2, kCfgIsr = 3, kCfgDevice = 4;

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
inline constexpr std::uint16_t kNoVector = 0xffff;  // 4.1.5.1.2

// PCI Local Bus 3.0, 6.8.2: MSI-X capability and table entry
inline constexpr std::uint8_t kMsixControl = 2, kMsixTable = 4;
inline constexpr std::uint16_t kMsixEnable = 0x8000;
struct MsixEntry {
    std::uint32_t address_low, address_high, data, control;
};
static_assert(sizeof(MsixEntry) == 16);
}  // namespace pci

}  // namespace unibpf::virtio
