// I/O APICs (Intel 82093AA): every pin that a virtio-mmio device may raise becomes the wake vector, edge-triggered, on the only
// CPU. The handler (traps.S) does nothing: the data path finds out by polling who has something. MSI does the same for PCI.
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint64_t first_io_apic = 0xfec0'0000, second_io_apic = 0xfec1'0000;  // QEMU; microvm with acpi=on has both
constexpr std::uint64_t pins = 24;
constexpr std::uint64_t messages = 0xfee0'0000;  // MSI to APIC id 0

void write_register(std::uint64_t base, std::uint32_t index, std::uint32_t value) {
    cpu::device32(base) = index;
    cpu::device32(base + 0x10) = value;
}

// Redirection entry: vector, fixed delivery, physical destination 0, active high, edge, not masked.
void route(std::uint64_t base, std::uint64_t pin) {
    const auto entry = static_cast<std::uint32_t>(0x10 + 2 * pin);
    write_register(base, entry + 1, 0);
    write_register(base, entry, pvh::wake_vector);
}

}  // namespace

namespace pvh {

void route_pin(std::uint64_t number) {
    if (number < pins) route(first_io_apic, number);
}

void route_microvm_pins() {
    for (std::uint64_t pin = 0; pin < pins; ++pin) route(second_io_apic, pin);
}

}  // namespace pvh

InterruptMessage wake_message() { return {messages, pvh::wake_vector}; }

}  // namespace unibpf::platform
