// How fast the TSC counts, and the local APIC's timer (one-shot) for control slices and for sleeping.
//
// The TSC's frequency comes from `tsc_khz=` or is measured once against PIT channel 0 (1.193182 MHz; read by the latch command,
// since microvm has no port 0x61) over 1 ms; where there is no PIT, against the APIC timer, which QEMU and KVM run at 1 GHz.
#include "guest/platform/command_line.hpp"
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/slice.hpp"
#include "guest/platform/x86/x86.hpp"

extern "C" std::uint64_t entry_tsc;

namespace unibpf::platform {
namespace {

constexpr std::uint64_t apic_base = 0xfee0'0000;
constexpr std::uint64_t apic_spurious = apic_base + 0xf0, apic_timer = apic_base + 0x320, apic_initial = apic_base + 0x380, apic_current = apic_base + 0x390,
                        apic_divide = apic_base + 0x3e0;
constexpr std::uint32_t apic_on = 0x100, timer_masked = 0x1'0000, divide_by_1 = 0xb;
constexpr std::uint64_t pit_hz = 1'193'182;
constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t apic_per_us = 1000;

// PIT channel 0 counts down from 65536; the counter and the TSC at about the same moment.
struct Sample {
    std::uint16_t pit;
    std::uint64_t tsc;
    std::uint32_t apic;
};

std::uint16_t read_pit() {
    cpu::out8(0x43, 0x00);
    const std::uint8_t low = cpu::in8(0x40);
    return static_cast<std::uint16_t>(low | cpu::in8(0x40) << 8);
}

// The tightest of a few tries: a vCPU may be taken away between the reads.
Sample take_sample() {
    Sample best{};
    std::uint64_t narrowest = ~0ull;
    for (int i = 0; i < 4; ++i) {
        const std::uint64_t before = cpu::read_tsc();
        const std::uint16_t pit = read_pit();
        const std::uint64_t after = cpu::read_tsc();
        if (after - before >= narrowest) continue;
        narrowest = after - before;
        best = {pit, before + narrowest / 2, cpu::device32(apic_current)};
    }
    return best;
}

void calibrate() {
    cpu::device32(apic_initial) = 0xffff'ffff;
    cpu::out8(0x43, 0x34);  // channel 0, low then high byte, rate generator
    cpu::out8(0x40, 0);
    cpu::out8(0x40, 0);
    const Sample first = take_sample();
    Sample last = first;
    for (int tries = 0; static_cast<std::uint16_t>(first.pit - last.pit) < pit_hz / 1000 && tries < 20'000; ++tries) {
        last = take_sample();
        if (last.pit == first.pit && first.apic - last.apic > 5'000'000) break;  // no PIT: 5 ms went by on the APIC
    }
    const std::uint64_t pit_ticks = static_cast<std::uint16_t>(first.pit - last.pit);
    const std::uint64_t apic_ticks = first.apic - last.apic;
    const std::uint64_t ns = pit_ticks != 0 ? pit_ticks * second_ns / pit_hz : apic_ticks;
    if (ns == 0) panic("clock: neither PIT nor APIC timer counts");
    x86::set_clock_frequency((last.tsc - first.tsc) * second_ns / ns);
    if (apic_ticks >= ns / 1000) apic_per_us = apic_ticks / (ns / 1000);
}

void arm(std::uint64_t ns, unsigned vector) {
    const std::uint64_t most = 0xffff'ffffull;
    std::uint64_t count = ns / 1000 * apic_per_us + ns % 1000 * apic_per_us / 1000;
    if (count == 0) count = 1;
    cpu::device32(apic_timer) = vector;
    cpu::device32(apic_initial) = static_cast<std::uint32_t>(count < most ? count : most);
}

void disarm() { cpu::device32(apic_initial) = 0; }

}  // namespace

namespace pvh {

void start_clock() {
    // Both PICs masked; only the local APIC interrupts.
    cpu::out8(0x21, 0xff);
    cpu::out8(0xa1, 0xff);
    cpu::device32(apic_divide) = divide_by_1;
    cpu::device32(apic_timer) = timer_masked | wake_vector;
    cpu::device32(apic_spurious) = apic_on | spurious_vector;
    const std::uint64_t khz = number(option(command_line(), "tsc_khz"));
    if (khz != 0) {
        x86::set_clock_frequency(khz * 1000);
    } else {
        calibrate();
    }
    disarm();
}

}  // namespace pvh

std::uint64_t entry_ns() { return x86::nanoseconds(entry_tsc); }

void idle_until(std::uint64_t deadline_ns) {
    const std::uint64_t now = monotonic_ns();
    if (deadline_ns <= now) return;
    arm(deadline_ns - now, pvh::wake_vector);
    cpu::sleep();
    disarm();
}

void slice_timer_arm(std::uint64_t ns) { arm(ns, pvh::slice_vector); }
void slice_timer_disarm() { disarm(); }
void slice_interrupts(bool on) { on ? cpu::interrupts_on() : cpu::interrupts_off(); }

}  // namespace unibpf::platform
