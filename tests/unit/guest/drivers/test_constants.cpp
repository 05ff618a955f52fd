#include <doctest/doctest.h>

// The kernel's headers are C: inline helpers that C++ refuses are left out, a field named `class` is renamed.
#define VIRTIO_RING_NO_LEGACY
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#define class class_
#include <linux/virtio_net.h>
#undef class
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include <cstddef>

#include "guest/drivers/virtio.hpp"

namespace own = unibpf::virtio;

TEST_CASE("status, feature and ring numbers are the kernel's") {
    CHECK(own::kDeviceNet == VIRTIO_ID_NET);
    CHECK(own::kAcknowledge == VIRTIO_CONFIG_S_ACKNOWLEDGE);
    CHECK(own::kDriver == VIRTIO_CONFIG_S_DRIVER);
    CHECK(own::kDriverOk == VIRTIO_CONFIG_S_DRIVER_OK);
    CHECK(own::kFeaturesOk == VIRTIO_CONFIG_S_FEATURES_OK);
    CHECK(own::kFailed == VIRTIO_CONFIG_S_FAILED);
    CHECK(own::kNetMac == 1ull << VIRTIO_NET_F_MAC);
    CHECK(own::kAnyLayout == 1ull << VIRTIO_F_ANY_LAYOUT);
    CHECK(own::kVersion1 == 1ull << VIRTIO_F_VERSION_1);
    CHECK(own::kDescWrite == VRING_DESC_F_WRITE);
    CHECK(own::kAvailNoInterrupt == VRING_AVAIL_F_NO_INTERRUPT);
    CHECK(own::kUsedNoNotify == VRING_USED_F_NO_NOTIFY);
}

TEST_CASE("MMIO registers are the kernel's") {
    using namespace own::mmio;
    CHECK(kMagicValue == VIRTIO_MMIO_MAGIC_VALUE);
    CHECK(kVersion == VIRTIO_MMIO_VERSION);
    CHECK(kDeviceId == VIRTIO_MMIO_DEVICE_ID);
    CHECK(kDeviceFeatures == VIRTIO_MMIO_DEVICE_FEATURES);
    CHECK(kDeviceFeaturesSel == VIRTIO_MMIO_DEVICE_FEATURES_SEL);
    CHECK(kDriverFeatures == VIRTIO_MMIO_DRIVER_FEATURES);
    CHECK(kDriverFeaturesSel == VIRTIO_MMIO_DRIVER_FEATURES_SEL);
    CHECK(kGuestPageSize == VIRTIO_MMIO_GUEST_PAGE_SIZE);
    CHECK(kQueueSel == VIRTIO_MMIO_QUEUE_SEL);
    CHECK(kQueueNumMax == VIRTIO_MMIO_QUEUE_NUM_MAX);
    CHECK(kQueueNum == VIRTIO_MMIO_QUEUE_NUM);
    CHECK(kQueueAlign == VIRTIO_MMIO_QUEUE_ALIGN);
    CHECK(kQueuePfn == VIRTIO_MMIO_QUEUE_PFN);
    CHECK(kQueueReady == VIRTIO_MMIO_QUEUE_READY);
    CHECK(kQueueNotify == VIRTIO_MMIO_QUEUE_NOTIFY);
    CHECK(kInterruptStatus == VIRTIO_MMIO_INTERRUPT_STATUS);
    CHECK(kInterruptAck == VIRTIO_MMIO_INTERRUPT_ACK);
    CHECK(own::kInterruptQueue == VIRTIO_MMIO_INT_VRING);
    CHECK(own::kInterruptConfig == VIRTIO_MMIO_INT_CONFIG);
    CHECK(kStatus == VIRTIO_MMIO_STATUS);
    CHECK(kQueueDescLow == VIRTIO_MMIO_QUEUE_DESC_LOW);
    CHECK(kQueueDescLow + 4 == VIRTIO_MMIO_QUEUE_DESC_HIGH);
    CHECK(kQueueAvailLow == VIRTIO_MMIO_QUEUE_AVAIL_LOW);
    CHECK(kQueueUsedLow == VIRTIO_MMIO_QUEUE_USED_LOW);
    CHECK(kConfig == VIRTIO_MMIO_CONFIG);
}

TEST_CASE("PCI numbers and structures are the kernel's") {
    using namespace own::pci;
    CHECK(kCapVendorSpecific == PCI_CAP_ID_VNDR);
    CHECK(kCapMsix == PCI_CAP_ID_MSIX);
    CHECK(kMsixControl == PCI_MSIX_FLAGS);
    CHECK(kMsixTable == PCI_MSIX_TABLE);
    CHECK(kMsixEnable == PCI_MSIX_FLAGS_ENABLE);
    CHECK(kCfgCommon == VIRTIO_PCI_CAP_COMMON_CFG);
    CHECK(kCfgNotify == VIRTIO_PCI_CAP_NOTIFY_CFG);
    CHECK(kCfgIsr == VIRTIO_PCI_CAP_ISR_CFG);
    CHECK(kCfgDevice == VIRTIO_PCI_CAP_DEVICE_CFG);
    CHECK(kNoVector == VIRTIO_MSI_NO_VECTOR);
    CHECK(sizeof(CommonConfig) == sizeof(virtio_pci_common_cfg));
    CHECK(offsetof(CommonConfig, queue_notify_off) == offsetof(virtio_pci_common_cfg, queue_notify_off));
    CHECK(offsetof(CommonConfig, queue_device_high) == offsetof(virtio_pci_common_cfg, queue_used_hi));
}

TEST_CASE("shared structures are laid out as the kernel's") {
    CHECK(sizeof(own::Descriptor) == sizeof(vring_desc));
    CHECK(offsetof(own::Descriptor, flags) == offsetof(vring_desc, flags));
    CHECK(sizeof(own::UsedElement) == sizeof(vring_used_elem));
    CHECK(sizeof(own::NetHeader) == sizeof(virtio_net_hdr_mrg_rxbuf));
    CHECK(own::kLegacyHeaderBytes == sizeof(virtio_net_hdr));
    CHECK(offsetof(own::NetHeader, csum_start) == offsetof(virtio_net_hdr, csum_start));
}
