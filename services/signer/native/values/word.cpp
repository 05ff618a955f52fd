#include "services/signer/native/values/word.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace unibpf::certificate {
namespace {

template <typename T>
void cut(Range<T>& a, T low, T high) {
    a.low = std::max(a.low, low);
    a.high = std::min(a.high, high);
}

// The two readings of the same bits agree where all of a range has one sign.
template <typename U, typename S>
void share_sign(Range<U>& u, Range<S>& s) {
    constexpr auto largest = static_cast<U>(std::numeric_limits<S>::max());
    if (s.low >= 0 || s.high < 0) cut(u, static_cast<U>(s.low), static_cast<U>(s.high));
    if (u.high <= largest || u.low > largest) cut(s, static_cast<S>(u.low), static_cast<S>(u.high));
}

void share_halves(Word& x) {
    if (x.u.low >> 32 == x.u.high >> 32) {
        const std::uint64_t upper = x.u.low >> 32 << 32;
        cut(x.hu, static_cast<std::uint32_t>(x.u.low), static_cast<std::uint32_t>(x.u.high));
        if (!x.hu.empty()) cut(x.u, upper | x.hu.low, upper | x.hu.high);
    }
    if (x.s.low >= INT32_MIN && x.s.high <= INT32_MAX) {
        cut(x.hs, static_cast<std::int32_t>(x.s.low), static_cast<std::int32_t>(x.s.high));
        if (!x.hs.empty()) cut(x.s, std::int64_t{x.hs.low}, std::int64_t{x.hs.high});
    }
}

// Bits that all numbers of a range share: those above the highest that differs.
struct Shared {
    std::uint64_t ones, fuzzy;
};
Shared shared(std::uint64_t low, std::uint64_t high) {
    const auto width = static_cast<unsigned>(std::bit_width(low ^ high));
    const std::uint64_t fuzzy = width == 64 ? UINT64_MAX : (std::uint64_t{1} << width) - 1;
    return {low & ~fuzzy, fuzzy};
}

bool meet_bits(Word& x, std::uint64_t ones, std::uint64_t fuzzy) {
    if (((x.ones ^ ones) & ~x.fuzzy & ~fuzzy) != 0) return false;
    x.fuzzy &= fuzzy;
    x.ones = (x.ones | ones) & ~x.fuzzy;
    return true;
}

bool share_bits(Word& x) {
    const Shared all = shared(x.u.low, x.u.high), half = shared(x.hu.low, x.hu.high);
    constexpr std::uint64_t upper = ~std::uint64_t{UINT32_MAX};
    if (!meet_bits(x, all.ones, all.fuzzy) || !meet_bits(x, half.ones, half.fuzzy | upper)) return false;
    const std::uint64_t most = x.ones | x.fuzzy;
    cut(x.u, x.ones, most);
    cut(x.hu, static_cast<std::uint32_t>(x.ones), static_cast<std::uint32_t>(most));
    constexpr std::uint64_t sign = std::uint64_t{1} << 63, half_sign = std::uint64_t{1} << 31;
    cut(x.s, static_cast<std::int64_t>(x.ones | (x.fuzzy & sign)), static_cast<std::int64_t>(most & ~(x.fuzzy & sign)));
    cut(x.hs, static_cast<std::int32_t>(static_cast<std::uint32_t>(x.ones | (x.fuzzy & half_sign))),
        static_cast<std::int32_t>(static_cast<std::uint32_t>(most & ~(x.fuzzy & half_sign))));
    return true;
}

}  // namespace

bool Word::settle() {
    for (int round = 0; round < 5; ++round) {
        const Word before = *this;
        if (impossible()) return false;
        share_sign(u, s);
        share_sign(hu, hs);
        if (impossible()) return false;
        share_halves(*this);
        if (impossible() || !share_bits(*this) || impossible()) return false;
        if (*this == before) break;
    }
    return true;
}

bool Word::meet(const Word& other) {
    cut(u, other.u.low, other.u.high);
    cut(s, other.s.low, other.s.high);
    cut(hu, other.hu.low, other.hu.high);
    cut(hs, other.hs.low, other.hs.high);
    return meet_bits(*this, other.ones, other.fuzzy) && settle();
}

bool Word::covers(const Word& other) const {
    const bool bits = (other.fuzzy & ~fuzzy) == 0 && ((other.ones ^ ones) & ~fuzzy) == 0;
    return bits && u.covers(other.u) && s.covers(other.s) && hu.covers(other.hu) && hs.covers(other.hs);
}

Word Word::exactly(std::uint64_t number) {
    const auto half = static_cast<std::uint32_t>(number);
    const auto is = static_cast<std::int64_t>(number);
    const auto half_is = static_cast<std::int32_t>(half);
    return {{number, number}, {is, is}, {half, half}, {half_is, half_is}, number, 0};
}

Word Word::between(std::uint64_t low, std::uint64_t high) {
    Word x;
    x.u = {low, high};
    (void)x.settle();  // not empty, so something is left
    return x;
}

Word Word::signed_between(std::int64_t low, std::int64_t high) {
    Word x;
    x.s = {low, high};
    (void)x.settle();
    return x;
}

Word Word::bytes(unsigned bytes, bool is_signed) {
    if (bytes == 8) return {};
    const std::int64_t half = std::int64_t{1} << (8 * bytes - 1);
    return is_signed ? signed_between(-half, half - 1) : between(0, 2 * static_cast<std::uint64_t>(half) - 1);
}

Word hull(const Word& a, const Word& b) {
    const auto both = [](auto x, auto y) { return decltype(x){std::min(x.low, y.low), std::max(x.high, y.high)}; };
    const std::uint64_t fuzzy = a.fuzzy | b.fuzzy | (a.ones ^ b.ones);
    return {both(a.u, b.u), both(a.s, b.s), both(a.hu, b.hu), both(a.hs, b.hs), a.ones & ~fuzzy, fuzzy};
}

}  // namespace unibpf::certificate
