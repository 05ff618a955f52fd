// The end of a guest, and the power button: ICH9 datasheet (PM1 block, at 0x600 under QEMU) and QEMU's docs/specs (pvpanic).
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform::x86 {
namespace {

constexpr std::uint16_t kPvpanic = 0x505;
constexpr std::uint16_t kPm1Status = 0x600, kPm1Enable = 0x602, kPm1Control = 0x604, kPm1PowerButton = 1 << 8, kPm1Sleep = 1 << 13;

}  // namespace

void enable_power_button() { cpu::out16(kPm1Enable, kPm1PowerButton); }
bool power_button_pressed() { return (cpu::in16(kPm1Status) & kPm1PowerButton) != 0; }
void soft_off() { cpu::out16(kPm1Control, kPm1Sleep); }
void tell_panic() { cpu::out8(kPvpanic, 1); }  // PVPANIC_PANICKED

void triple_fault() {
    const struct [[gnu::packed]] {
        std::uint16_t limit = 0;
        std::uint64_t base = 0;
    } none;
    asm volatile("lidt %0; int3" : : "m"(none));
    while (true) asm volatile("cli; hlt");
}

}  // namespace unibpf::platform::x86
