// What may be spent on those who have not shown a key: a bucket of nanoseconds of control work.
//
// While packets come, a share of the time flows in; when none has come for a while, the time is theirs as a whole, for then their
// work keeps nobody waiting. It holds so much that a single update without a MAC goes through at once. What has begun is
// finished, so the balance may fall below zero; nothing begins before that is paid back.
//
// Main stack: `earn`. Control stack: `spend`, under NoPreempt.
#pragma once

#include <algorithm>
#include <cstdint>

namespace unibpf {

class StrangerBudget {
  public:
    static constexpr std::int64_t share = 20;  // one nanosecond in so many
    static constexpr std::int64_t most_ns = 20'000'000;
    static constexpr std::uint64_t quiet_after_ns = 10'000'000;

    // The time since the last call; `packets`: there were some.
    void earn(std::uint64_t now_ns, bool packets) {
        if (packets) packets_at_ns_ = now_ns;
        const bool busy = now_ns - packets_at_ns_ < quiet_after_ns;
        const auto passed = static_cast<std::int64_t>(std::min<std::uint64_t>(now_ns - earned_at_ns_, UINT64_C(1) << 40));
        if (busy && passed < share) return;  // kept for the next round
        earned_at_ns_ = now_ns;
        balance_ns_ = std::min(most_ns, balance_ns_ + (busy ? passed / share : passed));
    }
    void spend(std::uint64_t ns) { balance_ns_ -= static_cast<std::int64_t>(ns); }
    bool allows() const { return balance_ns_ > 0; }

  private:
    std::int64_t balance_ns_ = most_ns;
    std::uint64_t earned_at_ns_ = 0, packets_at_ns_ = 0;
};

}  // namespace unibpf
