// TokenBucket: how much may pass at a rate. Credit grows with time up to what 20 ms bring (one packet at least); whoever takes may
// leave a debt, so that a packet longer than the credit passes once and the next one waits for it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace unibpf {

class TokenBucket {
  public:
    // Units in a second, as the rates of elements have them.
    void set_rate(std::uint64_t rate) {
        rate_ = std::min(rate, most_rate);
        most_ = static_cast<std::int64_t>(std::max(rate_ * (second_ns / 50), second_ns));
        credit_ = std::min(credit_, most_);
    }
    std::uint64_t rate() const { return rate_; }

    void refill(std::uint64_t now_ns) {
        if (!begun_) begun_ = true, last_ns_ = now_ns, credit_ = static_cast<std::int64_t>(second_ns);
        const std::uint64_t passed = std::min(now_ns - last_ns_, second_ns);
        last_ns_ = now_ns;
        credit_ = std::min(credit_ + static_cast<std::int64_t>(passed * rate_), most_);
    }
    // After `refill`: whether something may pass; `take` says how much did.
    bool ready() const { return credit_ > 0 && rate_ > 0; }
    bool whole() const { return credit_ >= static_cast<std::int64_t>(second_ns) && rate_ > 0; }
    void take(std::uint64_t units) { credit_ -= static_cast<std::int64_t>(units * second_ns); }
    // When `whole` or `ready` will hold; never for a rate of 0.
    std::uint64_t ready_ns(bool whole) const {
        const std::int64_t wanted = whole ? static_cast<std::int64_t>(second_ns) : 1;
        if (rate_ == 0) return ~std::uint64_t{0};
        return credit_ >= wanted ? last_ns_ : last_ns_ + (static_cast<std::uint64_t>(wanted - credit_) + rate_ - 1) / rate_;
    }

  private:
    static constexpr std::uint64_t second_ns = 1'000'000'000, most_rate = 8'000'000'000;
    std::uint64_t rate_ = 0;
    std::int64_t credit_ = 0;  // billionths of a unit
    std::int64_t most_ = 0;
    std::uint64_t last_ns_ = 0;
    bool begun_ = false;
};

}  // namespace unibpf
