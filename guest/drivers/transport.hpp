// How a virtio device is reached: the part of virtio 1.2 section 4 that differs between MMIO and PCI.
#pragma once

#include <cstdint>

#include "guest/drivers/virtqueue.hpp"

namespace unibpf {

class VirtioTransport {
  public:
    virtual bool legacy() const = 0;  // before version 1: 10-byte net header
    virtual void reset() = 0;
    virtual std::uint8_t status() = 0;
    virtual void add_status(std::uint8_t bits) = 0;
    virtual std::uint64_t features() = 0;
    virtual void accept_features(std::uint64_t features) = 0;
    virtual std::uint8_t config(std::uint32_t offset) = 0;          // device-specific configuration, byte by byte
    virtual std::uint16_t queue_limit(std::uint16_t queue) = 0;     // 0: no such queue
    virtual void start_queue(std::uint16_t queue, const Virtqueue& ring) = 0;
    virtual void notify(std::uint16_t queue) = 0;
    virtual bool interrupts() const = 0;     // can the receive queue's interrupt end platform::idle_until?
    virtual void acknowledge_interrupt() {}  // lets the next one through

  protected:
    ~VirtioTransport() = default;
};

// The device behind an MMIO window, or nullptr when there is no network device of a version we know. Lives on the heap for good.
VirtioTransport* probe_virtio_mmio(std::uint64_t window);
// Every modern virtio network function on the PCI buses, in bus order; places BARs that firmware left unassigned.
std::size_t probe_virtio_pci(std::span<VirtioTransport*> found);

}  // namespace unibpf
