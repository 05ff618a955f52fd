// QEMU's machines: console, power, panic, and where virtio devices can be. Port and register numbers: QEMU's docs/specs
// (acpi_hw_reduced generic event device).
#include <array>

#include "guest/platform/command_line.hpp"
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint16_t serial = 0x3f8, serial_status = serial + 5;
constexpr std::uint8_t serial_empty = 0x20;
constexpr std::uint64_t ged_event = 0xfea0'0000, ged_sleep = 0xfea0'0200;
constexpr std::uint32_t ged_power_down = 2;
constexpr std::uint8_t ged_sleep_s5 = 1 << 5 | 5 << 2;
constexpr std::uint64_t mmio_first = 0xfeb0'0000, mmio_step = 512, mmio_count = 24;  // microvm

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
    for (std::uint64_t i = 0; i < mmio_count; ++i) windows[window_count++] = mmio_first + i * mmio_step;
}

}  // namespace

namespace pvh {

void find_machine() {
    if (x86::host_bridge_present()) {
        which = Machine::pc;
        x86::enable_power_button();
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
        for (int spin = 0; spin < 10'000 && (cpu::in8(serial_status) & serial_empty) == 0; ++spin) {}
        cpu::out8(serial, static_cast<std::uint8_t>(c));
    }
}

bool power_off_requested() {
    switch (which) {
        case pvh::Machine::pc: return x86::power_button_pressed();
        case pvh::Machine::microvm_acpi: return (cpu::device32(ged_event) & ged_power_down) != 0;
        case pvh::Machine::microvm: return false;
    }
    return false;
}

void power_off(int) {
    cpu::interrupts_off();
    if (which == pvh::Machine::pc) x86::soft_off();
    if (which == pvh::Machine::microvm_acpi) cpu::device8(ged_sleep) = ged_sleep_s5;
    x86::triple_fault();
}

void panic(std::string_view unique_text) {
    cpu::interrupts_off();
    console_write("unibpf panic: ");
    console_write(unique_text);
    console_write("\n");
    x86::tell_panic();
    power_off(1);
}

std::span<FrameDevice* const> frame_devices() { return {}; }
std::span<const std::uint64_t> virtio_mmio_windows() { return {windows.data(), window_count}; }
bool has_pci() { return which == pvh::Machine::pc; }

}  // namespace unibpf::platform
