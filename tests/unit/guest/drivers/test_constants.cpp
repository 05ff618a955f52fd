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
    CHECK(own::device_net == VIRTIO_ID_NET);
    CHECK(own::acknowledge == VIRTIO_CONFIG_S_ACKNOWLEDGE);
    CHECK(own::driver_known == VIRTIO_CONFIG_S_DRIVER);
    CHECK(own::driver_ok == VIRTIO_CONFIG_S_DRIVER_OK);
    CHECK(own::features_ok == VIRTIO_CONFIG_S_FEATURES_OK);
    CHECK(own::driver_failed == VIRTIO_CONFIG_S_FAILED);
    CHECK(own::net_mac == 1ull << VIRTIO_NET_F_MAC);
    CHECK(own::net_merged_buffers == 1ull << VIRTIO_NET_F_MRG_RXBUF);
    CHECK(own::any_layout == 1ull << VIRTIO_F_ANY_LAYOUT);
    CHECK(own::version_1 == 1ull << VIRTIO_F_VERSION_1);
    CHECK(own::desc_write == VRING_DESC_F_WRITE);
    CHECK(own::avail_no_interrupt == VRING_AVAIL_F_NO_INTERRUPT);
    CHECK(own::used_no_notify == VRING_USED_F_NO_NOTIFY);
}

TEST_CASE("MMIO registers are the kernel's") {
    using namespace own::mmio;
    CHECK(magic_value == VIRTIO_MMIO_MAGIC_VALUE);
    CHECK(device_version == VIRTIO_MMIO_VERSION);
    CHECK(device_id == VIRTIO_MMIO_DEVICE_ID);
    CHECK(device_features == VIRTIO_MMIO_DEVICE_FEATURES);
    CHECK(device_features_sel == VIRTIO_MMIO_DEVICE_FEATURES_SEL);
    CHECK(driver_features == VIRTIO_MMIO_DRIVER_FEATURES);
    CHECK(driver_features_sel == VIRTIO_MMIO_DRIVER_FEATURES_SEL);
    CHECK(guest_page_size == VIRTIO_MMIO_GUEST_PAGE_SIZE);
    CHECK(queue_sel == VIRTIO_MMIO_QUEUE_SEL);
    CHECK(queue_num_max == VIRTIO_MMIO_QUEUE_NUM_MAX);
    CHECK(queue_num == VIRTIO_MMIO_QUEUE_NUM);
    CHECK(queue_align == VIRTIO_MMIO_QUEUE_ALIGN);
    CHECK(queue_pfn == VIRTIO_MMIO_QUEUE_PFN);
    CHECK(queue_ready == VIRTIO_MMIO_QUEUE_READY);
    CHECK(queue_notify == VIRTIO_MMIO_QUEUE_NOTIFY);
    CHECK(interrupt_status == VIRTIO_MMIO_INTERRUPT_STATUS);
    CHECK(interrupt_ack == VIRTIO_MMIO_INTERRUPT_ACK);
    CHECK(own::interrupt_queue == VIRTIO_MMIO_INT_VRING);
    CHECK(own::interrupt_config == VIRTIO_MMIO_INT_CONFIG);
    CHECK(status_offset == VIRTIO_MMIO_STATUS);
    CHECK(queue_descriptors_low == VIRTIO_MMIO_QUEUE_DESC_LOW);
    CHECK(queue_descriptors_low + 4 == VIRTIO_MMIO_QUEUE_DESC_HIGH);
    CHECK(queue_available_low == VIRTIO_MMIO_QUEUE_AVAIL_LOW);
    CHECK(queue_used_low == VIRTIO_MMIO_QUEUE_USED_LOW);
    CHECK(config_space == VIRTIO_MMIO_CONFIG);
}

TEST_CASE("PCI numbers and structures are the kernel's") {
    using namespace own::pci;
    CHECK(cap_vendor_specific == PCI_CAP_ID_VNDR);
    CHECK(cap_msix == PCI_CAP_ID_MSIX);
    CHECK(msix_control == PCI_MSIX_FLAGS);
    CHECK(msix_table == PCI_MSIX_TABLE);
    CHECK(msix_enable == PCI_MSIX_FLAGS_ENABLE);
    CHECK(cfg_common == VIRTIO_PCI_CAP_COMMON_CFG);
    CHECK(cfg_notify == VIRTIO_PCI_CAP_NOTIFY_CFG);
    CHECK(cfg_isr == VIRTIO_PCI_CAP_ISR_CFG);
    CHECK(cfg_device == VIRTIO_PCI_CAP_DEVICE_CFG);
    CHECK(no_vector == VIRTIO_MSI_NO_VECTOR);
    CHECK(sizeof(CommonConfig) == sizeof(virtio_pci_common_cfg));
    CHECK(offsetof(CommonConfig, queue_notify_off) == offsetof(virtio_pci_common_cfg, queue_notify_off));
    CHECK(offsetof(CommonConfig, queue_device_high) == offsetof(virtio_pci_common_cfg, queue_used_hi));
}

TEST_CASE("shared structures are laid out as the kernel's") {
    CHECK(sizeof(own::Descriptor) == sizeof(vring_desc));
    CHECK(offsetof(own::Descriptor, flags) == offsetof(vring_desc, flags));
    CHECK(sizeof(own::UsedElement) == sizeof(vring_used_elem));
    CHECK(sizeof(own::NetHeader) == sizeof(virtio_net_hdr_mrg_rxbuf));
    CHECK(own::legacy_header_bytes == sizeof(virtio_net_hdr));
    CHECK(offsetof(own::NetHeader, csum_start) == offsetof(virtio_net_hdr, csum_start));
}
