// The gate of isolated runs by protection keys, for platforms whose CPU may have them. PKRU says which keys may be written (Intel
// SDM volume 3, 4.6.2; AMD64 manual volume 2, 5.6.7). What a platform adds: pages with keys, and what comes when a run faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/platform/platform.hpp"

namespace unibpf::platform::gate {

inline constexpr std::uint32_t all_rights = 0;
inline constexpr std::uint32_t reach_nothing = 0xffff'ffff;

// Two bits a key: its pages may not be read or written, may not be written.
constexpr std::uint32_t read_disable_bit(unsigned key) { return 1u << (2 * key); }
constexpr std::uint32_t disable_bits(unsigned key) { return 3u << (2 * key); }

// Of a run with this key of the CPU's: its own pages and the common ones, and the guest's to read.
constexpr std::uint32_t rights_of_run(unsigned own, unsigned common, unsigned guest) {
    return reach_nothing & ~disable_bits(own) & ~disable_bits(common) & ~read_disable_bit(guest);
}

// Order memory: nothing moves across a change of rights.
inline void write_rights(std::uint32_t rights) { asm volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory"); }
inline std::uint32_t read_rights() {
    std::uint32_t rights, zero;
    asm volatile("rdpkru" : "=a"(rights), "=d"(zero) : "c"(0) : "memory");
    return rights;
}

// What run_isolated asks of the platform's gate: `entry(argument)` on `stack`, which the run may write, with these rights; false
// when end_by_fault ended it. With all rights; one run at a time.
bool run(std::uint32_t rights, void (*entry)(void*), void* argument, std::span<std::byte> stack);
bool active();
void back_to_the_run();  // from all rights to those of the active run, in a handler that is about to return to it

// In the platform's handler of faults, with all rights, on whatever stack: the active run is over. All rights stay.
[[noreturn]] void end_by_fault();

}  // namespace unibpf::platform::gate
