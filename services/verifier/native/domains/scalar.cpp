#include "services/verifier/native/domains/scalar.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t low_half = UINT32_MAX;

template <typename T>
Interval<T> intersect(Interval<T> a, Interval<T> b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }
template <typename T>
Interval<T> hull(Interval<T> a, Interval<T> b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }
// Bounds of the words in a Tnum, by the order of T.
template <typename U>
Interval<U> unsigned_of(Tnum bits) { return {static_cast<U>(bits.min()), static_cast<U>(bits.max())}; }
template <typename S, typename U>
Interval<S> signed_of(Tnum bits) {
    constexpr U sign = U{1} << (sizeof(U) * 8 - 1);
    const auto value = static_cast<U>(bits.value), mask = static_cast<U>(bits.mask);
    return {static_cast<S>(value | (mask & sign)), static_cast<S>(value | (mask & ~sign))};
}

// The two orders agree on a range that does not cross the other order's seam.
template <typename S, typename U>
void share(Interval<S>& s, Interval<U>& u) {
    if (u.empty() || s.empty()) return;
    const auto low = static_cast<S>(u.low), high = static_cast<S>(u.high);
    if (low <= high) s = intersect(s, {low, high});
    if (s.empty()) return;
    if (static_cast<U>(s.low) <= static_cast<U>(s.high)) u = intersect(u, {static_cast<U>(s.low), static_cast<U>(s.high)});
}

void share_halves(Scalar& x) {
    if (x.is_bottom()) return;
    if (x.u64.low >> 32 == x.u64.high >> 32) {
        x.u32 = intersect(x.u32, {static_cast<std::uint32_t>(x.u64.low), static_cast<std::uint32_t>(x.u64.high)});
        const std::uint64_t upper = x.u64.low & ~low_half;
        if (!x.u32.empty()) x.u64 = intersect(x.u64, {upper | x.u32.low, upper | x.u32.high});
    }
    if (x.is_bottom()) return;
    if (x.fits_s32()) {
        x.s32 = intersect(x.s32, {static_cast<std::int32_t>(x.s64.low), static_cast<std::int32_t>(x.s64.high)});
        if (!x.s32.empty()) x.s64 = intersect(x.s64, {x.s32.low, x.s32.high});
    }
}

bool share_bits(Scalar& x) {
    if (x.is_bottom()) return true;
    auto bits = meet(x.bits, Tnum::range(x.u64.low, x.u64.high));
    if (!bits) return false;
    const Tnum low = Tnum::range(x.u32.low, x.u32.high);
    bits = meet(*bits, Tnum{low.value, low.mask | ~low_half});
    if (!bits) return false;
    x.bits = *bits;
    x.u64 = intersect(x.u64, unsigned_of<std::uint64_t>(x.bits));
    x.s64 = intersect(x.s64, signed_of<std::int64_t, std::uint64_t>(x.bits));
    x.u32 = intersect(x.u32, unsigned_of<std::uint32_t>(low_bits(x.bits, 32)));
    x.s32 = intersect(x.s32, signed_of<std::int32_t, std::uint32_t>(x.bits));
    return true;
}

Scalar bottom() {
    Scalar x;
    x.u64 = {1, 0};
    return x;
}

}  // namespace

Scalar Scalar::constant(std::uint64_t value) {
    const auto low = static_cast<std::uint32_t>(value);
    return {{value, value}, {static_cast<std::int64_t>(value), static_cast<std::int64_t>(value)}, {low, low}, {static_cast<std::int32_t>(low), static_cast<std::int32_t>(low)}, Tnum::constant(value)};
}

Scalar Scalar::unsigned_range(std::uint64_t low, std::uint64_t high) {
    Scalar x;
    x.u64 = {low, high};
    x.normalise();
    return x;
}

Scalar Scalar::signed_range(std::int64_t low, std::int64_t high) {
    Scalar x;
    x.s64 = {low, high};
    x.normalise();
    return x;
}

bool Scalar::contains(std::uint64_t x) const {
    return u64.contains(x) && s64.contains(static_cast<std::int64_t>(x)) && u32.contains(static_cast<std::uint32_t>(x)) &&
           s32.contains(static_cast<std::int32_t>(x)) && bits.contains(x);
}

bool Scalar::leq(const Scalar& other) const {
    if (is_bottom()) return true;
    return u64.inside(other.u64) && s64.inside(other.s64) && u32.inside(other.u32) && s32.inside(other.s32) && bits.leq(other.bits);
}

void Scalar::normalise() {
    for (int round = 0; round < 3; ++round) {
        const Scalar before = *this;
        share(s64, u64);
        share(s32, u32);
        share_halves(*this);
        if (!share_bits(*this) || is_bottom()) {
            *this = bottom();
            return;
        }
        if (*this == before) return;
    }
    if (is_bottom()) *this = bottom();
}

Scalar join(const Scalar& a, const Scalar& b) {
    if (a.is_bottom()) return b;
    if (b.is_bottom()) return a;
    return {hull(a.u64, b.u64), hull(a.s64, b.s64), hull(a.u32, b.u32), hull(a.s32, b.s32), join(a.bits, b.bits)};
}

Scalar meet(const Scalar& a, const Scalar& b) {
    const auto bits = meet(a.bits, b.bits);
    if (!bits) return bottom();
    Scalar x{intersect(a.u64, b.u64), intersect(a.s64, b.s64), intersect(a.u32, b.u32), intersect(a.s32, b.s32), *bits};
    x.normalise();
    return x;
}

}  // namespace unibpf::analyser
