#include "guest/loop.hpp"

#include <algorithm>

#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

constexpr std::uint64_t spin_ns = 50'000;           // polled in vain for so long: sleep
constexpr std::uint64_t long_tick_ns = 10'000'000;       // longest sleep
constexpr std::uint64_t short_tick_ns = 500'000;     // the same when a NIC cannot interrupt
constexpr std::uint64_t power_check_ns = 20'000'000;  // looking at the power button leaves the VM

bool nics_allow_sleep(std::span<Nic* const> nics) {
    bool quiet = true;
    for (Nic* nic : nics) quiet = nic->wait_for_interrupt(true) && quiet;
    return quiet;
}

void sleep(const LoopParts& parts, std::uint64_t tick_ns) {
    if (nics_allow_sleep(parts.nics)) platform::idle_until(std::min(platform::monotonic_ns() + tick_ns, parts.router.timers().next_ns()));
    for (Nic* nic : parts.nics) nic->wait_for_interrupt(false);
    parts.stats.round_ended(platform::monotonic_ns());
}

}  // namespace

void run_loop(const LoopParts& parts) {
    const bool interrupts = std::ranges::all_of(parts.nics, &Nic::interrupts);
    const std::uint64_t tick_ns = interrupts ? long_tick_ns : short_tick_ns;
    std::uint64_t busy_at = platform::monotonic_ns();
    std::uint64_t power_checked_at = 0;
    while (true) {
        const std::uint64_t now = platform::monotonic_ns();
        parts.stats.round_begins(now);
        const bool managed = parts.control.poll();
        const bool routed = parts.router.run_once(now);
        parts.stats.round_ended(platform::monotonic_ns());

        parts.control.round(now, routed);
        if (parts.control.wants_slice()) {
            parts.control.run_slice(parts.slice_ns);
            busy_at = now;
        } else if (managed || routed) {
            busy_at = now;
        } else if (now - busy_at > spin_ns) {
            sleep(parts, tick_ns);
        }
        if (now - power_checked_at > power_check_ns) {
            if (platform::power_off_requested()) return;
            power_checked_at = now;
        }
    }
}

}  // namespace unibpf
