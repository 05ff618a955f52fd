// QEMU's machines: console, power, panic, and where virtio devices can be. Port and register numbers: QEMU's docs/specs
// (pvpanic, acpi_hw_reduced generic event device) and the ICH9 datasheet (PM1 block at 0x600 under QEMU).
#include <array>

#include "guest/platform/command_line.hpp"
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint16_t kSerial = 0x3f8, kSerialStatus = kSerial + 5;
constexpr std::uint8_t kSerialEmpty = 0x20;
constexpr std::uint16_t kPvpanic = 0x505;
constexpr std::uint16_t kPm1Status = 0x600, kPm1Enable = 0x602, kPm1Control = 0x604, kPm1PowerButton = 1 << 8, kPm1Sleep = 1 << 13;
constexpr std::uint64_t kGedEvent = 0xfea0'0000, kGedSleep = 0xfea0'0200;
constexpr std::uint32_t kGedPowerDown = 2;
constexpr std::uint8_t kGedSleepS5 = 1 << 5 | 5 << 2;
constexpr std::uint16_t kPciAddress = 0xcf8, kPciData = 0xcfc;
constexpr std::uint64_t kMmioFirst = 0xfeb0'0000, kMmioStep = 512, kMmioCount = 24;  // microvm

pvh::Machine which = pvh::Machine::microvm;
std::array<std::uint64_t, 32> windows;
std::size_t window_count = 0;

// microvm with acpi=off names its devices on the command line; a malformed word ends the list.
void windows_from_command_line() {
    std::string_view rest = command_line();
    for (auto device = next_mmio_device(rest); device && window_count < windows.size(); device = next_mmio_device(rest)) {
        windows[window_count++] = device->address;
        if (device->interrupt) pvh::route_pin(*device->interrupt);
    }
}

// With acpi=on they are named nowhere. Absent transports answer magic and device id 0.
void windows_of_microvm() {
    for (std::uint64_t i = 0; i < kMmioCount; ++i) windows[window_count++] = kMmioFirst + i * kMmioStep;
}

[[noreturn]] void triple_fault() {
    const struct [[gnu::packed]] {
        std::uint16_t limit = 0;
        std::uint64_t base = 0;
    } none;
    asm volatile("lidt %0; int3" : : "m"(none));
    while (true) asm volatile("cli; hlt");
}

}  // namespace

namespace pvh {

void find_machine() {
    // A host bridge at 0:0.0 means a PC; microvm has no PCI unless asked (and then PCI is MMIO-only, which we do not use).
    if (pci_read(0, 0, 0) != 0xffff'ffff && pci_read(0, 0, 0) != 0) {
        which = Machine::pc;
        cpu::out16(kPm1Enable, kPm1PowerButton);
        return;
    }
    windows_from_command_line();
    if (window_count != 0) return;
    which = Machine::microvm_acpi;
    windows_of_microvm();
    route_microvm_pins();
}

Machine machine() { return which; }

}  // namespace pvh

void console_write(std::string_view text) {
    for (const char c : text) {
        for (int spin = 0; spin < 10'000 && (cpu::in8(kSerialStatus) & kSerialEmpty) == 0; ++spin) {}
        cpu::out8(kSerial, static_cast<std::uint8_t>(c));
    }
}

bool power_off_requested() {
    switch (which) {
        case pvh::Machine::pc: return (cpu::in16(kPm1Status) & kPm1PowerButton) != 0;
        case pvh::Machine::microvm_acpi: return (cpu::device32(kGedEvent) & kGedPowerDown) != 0;
        case pvh::Machine::microvm: return false;
    }
    return false;
}

void power_off(int) {
    cpu::interrupts_off();
    if (which == pvh::Machine::pc) cpu::out16(kPm1Control, kPm1Sleep);
    if (which == pvh::Machine::microvm_acpi) cpu::device8(kGedSleep) = kGedSleepS5;
    triple_fault();  // the end everywhere under -no-reboot
}

void panic(std::string_view unique_text) {
    cpu::interrupts_off();
    console_write("unibpf panic: ");
    console_write(unique_text);
    console_write("\n");
    cpu::out8(kPvpanic, 1);  // PVPANIC_PANICKED
    power_off(1);
}

bool entropy(std::span<std::byte> out) {
    constexpr std::uint32_t kRdrand = 1u << 30;
    if ((cpu::cpuid(1).ecx & kRdrand) == 0) return false;
    for (std::byte& byte : out) {
        std::uint64_t value = 0;
        bool ok = false;
        for (int tries = 0; tries < 16 && !ok; ++tries) asm volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
        if (!ok) return false;
        byte = static_cast<std::byte>(value);
    }
    return true;
}

std::span<FrameDevice* const> frame_devices() { return {}; }
std::span<const std::uint64_t> virtio_mmio_windows() { return {windows.data(), window_count}; }
bool has_pci() { return which == pvh::Machine::pc; }

std::uint32_t pci_read(std::uint8_t bus, std::uint8_t function, std::uint8_t offset) {
    cpu::out32(kPciAddress, 0x8000'0000u | std::uint32_t{bus} << 16 | std::uint32_t{function} << 8 | (offset & 0xfcu));
    return cpu::in32(kPciData);
}
void pci_write(std::uint8_t bus, std::uint8_t function, std::uint8_t offset, std::uint32_t value) {
    cpu::out32(kPciAddress, 0x8000'0000u | std::uint32_t{bus} << 16 | std::uint32_t{function} << 8 | (offset & 0xfcu));
    cpu::out32(kPciData, value);
}

}  // namespace unibpf::platform
