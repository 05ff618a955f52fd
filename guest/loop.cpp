#include "guest/loop.hpp"

#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

constexpr std::uint64_t kSpinNs = 50'000;           // polled in vain for so long: sleep
constexpr std::uint64_t kTickNs = 1'000'000;        // longest sleep: timers of elements, NICs that cannot interrupt
constexpr std::uint64_t kPowerCheckNs = 20'000'000;  // looking at the power button leaves the VM

bool nics_allow_sleep(std::span<Nic* const> nics) {
    bool quiet = true;
    for (Nic* nic : nics) quiet = nic->wait_for_interrupt(true) && quiet;
    return quiet;
}

void sleep(const LoopParts& parts, std::uint64_t now) {
    if (nics_allow_sleep(parts.nics)) platform::idle_until(now + kTickNs);
    for (Nic* nic : parts.nics) nic->wait_for_interrupt(false);
    parts.stats.round_ended(platform::monotonic_ns());
}

}  // namespace

void run_loop(const LoopParts& parts) {
    std::uint64_t busy_at = platform::monotonic_ns();
    std::uint64_t power_checked_at = 0;
    while (true) {
        const std::uint64_t now = platform::monotonic_ns();
        parts.stats.round_begins(now);
        const bool managed = parts.control.poll();
        const bool routed = parts.router.run_once(now);
        parts.stats.round_ended(platform::monotonic_ns());

        if (parts.control.wants_slice()) {
            platform::control_resume(parts.slice_ns);
            busy_at = now;
        } else if (managed || routed) {
            busy_at = now;
        } else if (now - busy_at > kSpinNs) {
            sleep(parts, now);
        }
        if (now - power_checked_at > kPowerCheckNs) {
            if (platform::power_off_requested()) return;
            power_checked_at = now;
        }
    }
}

}  // namespace unibpf
