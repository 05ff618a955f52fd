// The TSC as the clock, and the wall clock as an offset to it. How fast the TSC counts is the platform's to find out.
//
// ns = ticks * scale >> 32, with a 128-bit product (one instruction; no library call).
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t scale = 1ull << 32;  // ns per tick, 32.32 fixed point
std::int64_t wall_offset_us = 0;

}  // namespace

namespace x86 {

void set_clock_frequency(std::uint64_t hz) {
    if (hz < 1'000'000) panic("clock: impossible TSC frequency");
    scale = (second_ns << 32) / hz;
}

std::uint64_t nanoseconds(std::uint64_t ticks) { return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * scale >> 32); }

}  // namespace x86

std::uint64_t monotonic_ns() { return x86::nanoseconds(cpu::read_tsc()); }

std::uint64_t wall_clock_us() { return static_cast<std::uint64_t>(static_cast<std::int64_t>(monotonic_ns() / 1000) + wall_offset_us); }
void set_wall_clock_us(std::uint64_t now_us) {
    wall_offset_us = static_cast<std::int64_t>(now_us) - static_cast<std::int64_t>(monotonic_ns() / 1000);
}

}  // namespace unibpf::platform
