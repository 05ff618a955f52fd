// PCI configuration space by mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2): address at port 0xcf8, data at 0xcfc.
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint16_t pci_address = 0xcf8, pci_data = 0xcfc;

void select(std::uint8_t bus, std::uint8_t function, std::uint8_t offset) {
    cpu::out32(pci_address, 0x8000'0000u | std::uint32_t{bus} << 16 | std::uint32_t{function} << 8 | (offset & 0xfcu));
}

}  // namespace

std::uint32_t pci_read(std::uint8_t bus, std::uint8_t function, std::uint8_t offset) {
    select(bus, function, offset);
    return cpu::in32(pci_data);
}
void pci_write(std::uint8_t bus, std::uint8_t function, std::uint8_t offset, std::uint32_t value) {
    select(bus, function, offset);
    cpu::out32(pci_data, value);
}

namespace x86 {

bool host_bridge_present() { return pci_read(0, 0, 0) != 0xffff'ffff && pci_read(0, 0, 0) != 0; }

}  // namespace x86
}  // namespace unibpf::platform
