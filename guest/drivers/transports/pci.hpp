// PCI configuration space through the platform, and the buses below a host bridge.
//
// Firmware may have left things unassigned (qboot): bridges then get a bus number and a window, functions get their memory
// BARs, all from one range below 4 GiB that no machine we run on uses for anything else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unibpf::pci {

struct Function {
    std::uint8_t bus = 0;
    std::uint8_t function = 0;  // device << 3 | function

    std::uint32_t read32(std::uint8_t offset) const;
    std::uint16_t read16(std::uint8_t offset) const { return static_cast<std::uint16_t>(read32(offset & 0xfc) >> (8 * (offset & 2))); }
    std::uint8_t read8(std::uint8_t offset) const { return static_cast<std::uint8_t>(read32(offset & 0xfc) >> (8 * (offset & 3))); }
    void write32(std::uint8_t offset, std::uint32_t value) const;
    void write16(std::uint8_t offset, std::uint16_t value) const;

    std::uint16_t vendor() const { return read16(0x00); }
    std::uint16_t device() const { return read16(0x02); }
    // Offset of the next capability of this kind after `after` (0: the first), or 0.
    std::uint8_t capability(std::uint8_t kind, std::uint8_t after = 0) const;
    // Base address of a memory BAR below 4 GiB, placed here when firmware did not; 0 when it is none. Memory decoding is on
    // afterwards.
    std::uint64_t memory_bar(std::uint8_t index) const;
    void enable_bus_master() const;
};

// Calls `visit(context, function)` for every function of every bus, bus 0 first, depth first.
void for_each_function(void (*visit)(void*, const Function&), void* context);

}  // namespace unibpf::pci
