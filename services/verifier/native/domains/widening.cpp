#include "services/verifier/native/domains/widening.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

using Thresholds = std::vector<std::int64_t>;

// The next one on each side, or the end of the type: where to jump to. Whether that is far enough is seen to by `up` and `down`,
// so that soundness does not rest on a search.
std::int64_t next_up(std::int64_t bound, const Thresholds* thresholds) {
    if (thresholds == nullptr) return INT64_MAX;
    const auto next = std::lower_bound(thresholds->begin(), thresholds->end(), bound);
    return next == thresholds->end() ? INT64_MAX : *next;
}
std::int64_t next_down(std::int64_t bound, const Thresholds* thresholds) {
    if (thresholds == nullptr) return INT64_MIN;
    const auto next = std::upper_bound(thresholds->begin(), thresholds->end(), bound);
    return next == thresholds->begin() ? INT64_MIN : *(next - 1);
}

std::int64_t up(std::int64_t bound, const Thresholds* thresholds) { return std::max(bound, next_up(bound, thresholds)); }
std::int64_t down(std::int64_t bound, const Thresholds* thresholds) { return std::min(bound, next_down(bound, thresholds)); }
std::uint64_t up(std::uint64_t bound, const Thresholds* thresholds) {
    if (bound > INT64_MAX) return UINT64_MAX;
    const std::int64_t next = up(static_cast<std::int64_t>(bound), thresholds);
    return next == INT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(next);
}

// Bits that are not stable are given up but for the lowest, which tell alignment: bit by bit would take 64 rounds.
Tnum widen(Tnum a, Tnum joined) {
    if (joined.leq(a) || joined.mask == 0) return joined;
    const std::uint64_t lowest = joined.mask & (0 - joined.mask);
    return {joined.value & (lowest - 1), ~(lowest - 1)};
}

}  // namespace

Scalar widen(const Scalar& a, const Scalar& joined, const std::vector<std::int64_t>* thresholds) {
    Scalar x;
    x.bits = widen(a.bits, joined.bits);
    x.s64 = {joined.s64.low < a.s64.low ? down(joined.s64.low, thresholds) : a.s64.low,
             joined.s64.high > a.s64.high ? up(joined.s64.high, thresholds) : a.s64.high};
    x.u64 = {joined.u64.low < a.u64.low ? 0 : a.u64.low, joined.u64.high > a.u64.high ? up(joined.u64.high, thresholds) : a.u64.high};
    x.u32 = {joined.u32.low < a.u32.low ? 0 : a.u32.low, joined.u32.high > a.u32.high ? UINT32_MAX : a.u32.high};
    x.s32 = {joined.s32.low < a.s32.low ? INT32_MIN : a.s32.low, joined.s32.high > a.s32.high ? INT32_MAX : a.s32.high};
    return x;
}

}  // namespace unibpf::analyser
