// The end of a guest, and the power button: ICH9 datasheet (PM1 block, at 0x600 under QEMU) and QEMU's docs/specs (pvpanic).
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform::x86 {
namespace {

constexpr std::uint16_t pvpanic = 0x505;
constexpr std::uint16_t pm1_status = 0x600, pm1_enable = 0x602, pm1_control = 0x604, pm1_power_button = 1 << 8, pm1_sleep = 1 << 13;

}  // namespace

void enable_power_button() { cpu::out16(pm1_enable, pm1_power_button); }
bool power_button_pressed() { return (cpu::in16(pm1_status) & pm1_power_button) != 0; }
void soft_off() { cpu::out16(pm1_control, pm1_sleep); }
void tell_panic() { cpu::out8(pvpanic, 1); }  // PVPANIC_PANICKED

void triple_fault() {
    const struct [[gnu::packed]] {
        std::uint16_t limit = 0;
        std::uint64_t base = 0;
    } none;
    asm volatile("lidt %0; int3" : : "m"(none));
    while (true) asm volatile("cli; hlt");
}

}  // namespace unibpf::platform::x86
