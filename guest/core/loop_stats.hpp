// How long the data path was kept waiting: written by the main loop once a round, read by the control channel.
//
// A gap is the time from the end of one round of the data path to the start of the next, waiting for packets excluded: a
// packet that arrives ends a wait at once, but nothing ends a control slice or a swap. Single CPU, no atomics needed: the
// control stack reads whole 64-bit words, and only main writes them (but for `mark`, done under NoPreempt).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace unibpf {

class LoopStats {
  public:
    // Measurements beside the one since boot, each begun by its own mark: an update's, and from one status answer to the next.
    enum class Window : std::uint8_t {
        update,
        status
    };

    // The data path starts a round at `now`.
    void round_begins(std::uint64_t now) {
        if (last_ != 0 && now > last_) {
            const std::uint64_t gap = now - last_;
            longest_ = std::max(longest_, gap);
            for (std::uint64_t& longest : since_mark_) longest = std::max(longest, gap);
        }
    }
    // The data path has finished a round (or woke from waiting for packets) at `now`.
    void round_ended(std::uint64_t now) { last_ = now; }

    void mark(Window window) { since_mark_[static_cast<std::size_t>(window)] = 0; }
    std::uint64_t longest_ns() const { return longest_; }
    std::uint64_t longest_since_mark_ns(Window window) const { return since_mark_[static_cast<std::size_t>(window)]; }

  private:
    std::uint64_t last_ = 0;
    std::uint64_t longest_ = 0;
    std::array<std::uint64_t, 2> since_mark_{};
};

}  // namespace unibpf
