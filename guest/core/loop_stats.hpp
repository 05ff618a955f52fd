// How long the data path was kept waiting: written by the main loop once a round, read by the control channel.
//
// A gap is the time from the end of one round of the data path to the start of the next, waiting for packets excluded: a
// packet that arrives ends a wait at once, but nothing ends a control slice or a swap. Single CPU, no atomics needed: the
// control stack reads whole 64-bit words, and only main writes them (but for `mark`, done under NoPreempt).
#pragma once

#include <algorithm>
#include <cstdint>

namespace unibpf {

class LoopStats {
  public:
    // The data path starts a round at `now`.
    void round_begins(std::uint64_t now) {
        if (last_ != 0 && now > last_) {
            const std::uint64_t gap = now - last_;
            longest_ = std::max(longest_, gap);
            since_mark_ = std::max(since_mark_, gap);
        }
    }
    // The data path has finished a round (or woke from waiting for packets) at `now`.
    void round_ended(std::uint64_t now) { last_ = now; }

    // Starts a new measurement beside the one since boot.
    void mark() { since_mark_ = 0; }
    std::uint64_t longest_ns() const { return longest_; }
    std::uint64_t longest_since_mark_ns() const { return since_mark_; }

  private:
    std::uint64_t last_ = 0;
    std::uint64_t longest_ = 0;
    std::uint64_t since_mark_ = 0;
};

}  // namespace unibpf
