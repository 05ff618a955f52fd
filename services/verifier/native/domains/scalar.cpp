#include "services/verifier/native/domains/scalar.hpp"

#include <algorithm>
#include <limits>

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t low_half = UINT32_MAX;

template <typename T>
Interval<T> intersect(Interval<T> a, Interval<T> b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }
template <typename T>
Interval<T> hull(Interval<T> a, Interval<T> b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }
template <typename T>
Interval<T> full() { return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()}; }

// a + b where neither or both bounds wrap; else everything.
template <typename T>
Interval<T> add(Interval<T> a, Interval<T> b) {
    Interval<T> sum;
    const bool low_wraps = __builtin_add_overflow(a.low, b.low, &sum.low);
    const bool high_wraps = __builtin_add_overflow(a.high, b.high, &sum.high);
    if constexpr (std::is_unsigned_v<T>) return low_wraps == high_wraps ? sum : full<T>();
    return low_wraps || high_wraps ? full<T>() : sum;
}
template <typename T>
Interval<T> subtract(Interval<T> a, Interval<T> b) {
    Interval<T> result;
    const bool low_wraps = __builtin_sub_overflow(a.low, b.high, &result.low);
    const bool high_wraps = __builtin_sub_overflow(a.high, b.low, &result.high);
    if constexpr (std::is_unsigned_v<T>) return low_wraps == high_wraps ? result : full<T>();
    return low_wraps || high_wraps ? full<T>() : result;
}
template <typename T>
Interval<T> multiply(Interval<T> a, Interval<T> b) {
    Interval<T> result = full<T>();
    T products[4];
    if (__builtin_mul_overflow(a.low, b.low, &products[0]) || __builtin_mul_overflow(a.low, b.high, &products[1]) ||
        __builtin_mul_overflow(a.high, b.low, &products[2]) || __builtin_mul_overflow(a.high, b.high, &products[3])) {
        return result;
    }
    const auto [low, high] = std::minmax({products[0], products[1], products[2], products[3]});
    return {low, high};
}

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

Scalar from_bits(Tnum bits) {
    Scalar x;
    x.bits = bits;
    x.normalise();
    return x;
}

Scalar shift(Alu op, unsigned width, const Scalar& a, const Scalar& by) {
    const unsigned limit = width - 1;
    if (!by.is_constant() && by.u64.high <= limit && by.u64.high - by.u64.low < 8) {  // few amounts: all of them
        Scalar x = shift(op, width, a, Scalar::constant(by.u64.low));
        for (std::uint64_t n = by.u64.low + 1; n <= by.u64.high; ++n) x = join(x, shift(op, width, a, Scalar::constant(n)));
        return x;
    }
    if (!by.is_constant()) {  // unknown amount: only the direction is known
        Scalar x;
        if (op == Alu::rsh) x = Scalar::unsigned_range(0, a.u64.high);
        if (op == Alu::arsh && a.s64.low >= 0) x = Scalar::unsigned_range(0, a.u64.high);
        return x;
    }
    const auto n = static_cast<unsigned>(by.u64.low) & limit;
    Scalar x;
    if (op == Alu::lsh) {
        x.bits = shift_left(a.bits, n);
        if (a.u64.high <= UINT64_MAX >> n) x.u64 = {a.u64.low << n, a.u64.high << n};
        if (a.u32.high <= UINT32_MAX >> std::min(n, 31U) && n < 32) x.u32 = {a.u32.low << n, a.u32.high << n};
    } else if (op == Alu::rsh) {
        x.bits = shift_right(a.bits, n);
        x.u64 = {a.u64.low >> n, a.u64.high >> n};
    } else {
        x.bits = shift_right_signed(a.bits, n);
        x.s64 = {a.s64.low >> n, a.s64.high >> n};
    }
    x.normalise();
    return x;
}

Scalar bitwise(Alu op, const Scalar& a, const Scalar& b) {
    Scalar x;
    const bool positive = a.s64.low >= 0 && b.s64.low >= 0;
    if (op == Alu::and_) {
        x.bits = bit_and(a.bits, b.bits);
        x.u64 = {0, std::min(a.u64.high, b.u64.high)};
        x.u32 = {0, std::min(a.u32.high, b.u32.high)};
    } else if (op == Alu::or_) {
        x.bits = bit_or(a.bits, b.bits);
        x.u64 = {std::max(a.u64.low, b.u64.low), UINT64_MAX};
        x.u32 = {std::max(a.u32.low, b.u32.low), UINT32_MAX};
        if (positive) x.s64.low = 0;
    } else {
        x.bits = bit_xor(a.bits, b.bits);
        if (positive) x.s64.low = 0;
    }
    x.normalise();
    return x;
}

// RFC 9669 4.1: x / 0 = 0 and x % 0 = x.
Scalar divide(Alu op, const Scalar& a, const Scalar& b) {
    if (op == Alu::div) {
        if (b.u64.low == 0) return Scalar::unsigned_range(0, a.u64.high);
        return Scalar::unsigned_range(a.u64.low / b.u64.high, a.u64.high / b.u64.low);
    }
    if (a.u64.high < b.u64.low) return a;
    if (b.u64.low == 0) return Scalar::unsigned_range(0, a.u64.high);
    return Scalar::unsigned_range(0, std::min(a.u64.high, b.u64.high - 1));
}

// Signed division rounds towards zero; INT_MIN / -1 wraps to INT_MIN (RFC 9669 4.1). The result's magnitude never exceeds
// the dividend's, a modulo has the dividend's sign.
Scalar divide_signed(Alu op, const Scalar& a, const Scalar& b) {
    if (a.s64.low == INT64_MIN) return Scalar::top();
    const std::int64_t size = std::max(std::abs(a.s64.low), std::abs(a.s64.high));
    if (op == Alu::smod) {
        std::int64_t limit = size;
        if (b.s64.low > 0) limit = std::min(limit, b.s64.high - 1);
        return Scalar::signed_range(a.s64.low >= 0 ? 0 : -limit, a.s64.high <= 0 ? 0 : limit);
    }
    if (a.s64.low >= 0 && b.s64.low > 0) return Scalar::signed_range(a.s64.low / b.s64.high, a.s64.high / b.s64.low);
    return Scalar::signed_range(-size, size);
}

Scalar multiply(const Scalar& a, const Scalar& b) {
    Scalar x;
    x.u64 = multiply(a.u64, b.u64);
    x.s64 = multiply(a.s64, b.s64);
    x.u32 = multiply(a.u32, b.u32);
    x.s32 = multiply(a.s32, b.s32);
    x.bits = multiply(a.bits, b.bits);
    x.normalise();
    return x;
}

Scalar compute_wide(Alu op, unsigned width, const Scalar& a, const Scalar& b) {
    switch (op) {
        case Alu::add: return add(a, b);
        case Alu::sub: return subtract(a, b);
        case Alu::mul: return multiply(a, b);
        case Alu::div:
        case Alu::mod: return divide(op, a, b);
        case Alu::sdiv:
        case Alu::smod: return divide_signed(op, a, b);
        case Alu::or_:
        case Alu::and_:
        case Alu::xor_: return bitwise(op, a, b);
        case Alu::lsh:
        case Alu::rsh:
        case Alu::arsh: return shift(op, width, a, b);
        case Alu::neg: return subtract(Scalar::constant(0), a);
        case Alu::mov: return b;
    }
    __builtin_unreachable();
}

// --- conditions ---------------------------------------------------------------------------------------------------------

template <typename T>
void assume_less(Interval<T>& a, Interval<T>& b, bool or_equal) {
    if (a.empty() || b.empty()) return;
    if (or_equal) {
        a.high = std::min(a.high, b.high);
        b.low = std::max(b.low, a.low);
        return;
    }
    if (b.high == std::numeric_limits<T>::min() || a.low == std::numeric_limits<T>::max()) {
        a = {1, 0};
        return;
    }
    a.high = std::min<T>(a.high, b.high - 1);
    b.low = std::max<T>(b.low, a.low + 1);
}

template <typename T>
void assume_different(Interval<T>& a, const Interval<T>& b) {
    if (b.low != b.high || a.empty()) return;
    if (a.low == a.high && a.low == b.low) {
        a = {1, 0};
    } else if (a.low == b.low) {
        ++a.low;
    } else if (a.high == b.low) {
        --a.high;
    }
}

void assume_equal(unsigned width, Scalar& a, Scalar& b) {
    if (width == 64) {
        a = b = meet(a, b);
        return;
    }
    a.u32 = b.u32 = intersect(a.u32, b.u32);
    a.s32 = b.s32 = intersect(a.s32, b.s32);
    const Tnum low_a{a.bits.value & low_half, a.bits.mask | ~low_half}, low_b{b.bits.value & low_half, b.bits.mask | ~low_half};
    const auto both_a = meet(a.bits, low_b), both_b = meet(b.bits, low_a);
    if (!both_a || !both_b) {
        a = bottom();
        return;
    }
    a.bits = *both_a;
    b.bits = *both_b;
}

// a & b == 0 for a constant b clears bits; a & b != 0 for a single bit sets it.
void assume_bits(unsigned width, bool holds, Scalar& a, const Scalar& b) {
    if (!b.is_constant()) return;
    const std::uint64_t tested = width == 64 ? b.u64.low : b.u64.low & low_half;
    if (tested == 0 && holds) a = bottom();
    if (tested == 0) return;
    if (holds && (tested & (tested - 1)) != 0) {
        if (((a.bits.value | a.bits.mask) & tested) == 0) a = bottom();
        return;
    }
    const auto narrowed = meet(a.bits, Tnum{holds ? tested : 0, ~tested});
    if (narrowed) {
        a.bits = *narrowed;
    } else {
        a = bottom();
    }
}

struct Order { bool is_signed, swapped, or_equal; };

void assume_order(Order order, unsigned width, Scalar& a, Scalar& b) {
    Scalar& small = order.swapped ? b : a;
    Scalar& large = order.swapped ? a : b;
    if (width == 64) {
        if (order.is_signed) assume_less(small.s64, large.s64, order.or_equal);
        else assume_less(small.u64, large.u64, order.or_equal);
    } else {
        if (order.is_signed) assume_less(small.s32, large.s32, order.or_equal);
        else assume_less(small.u32, large.u32, order.or_equal);
    }
}

void assume_unequal(unsigned width, Scalar& a, Scalar& b) {
    const Scalar before = a;
    if (width == 64) {
        assume_different(a.u64, b.u64);
        assume_different(a.s64, b.s64);
        assume_different(b.u64, before.u64);
        assume_different(b.s64, before.s64);
    } else {
        assume_different(a.u32, b.u32);
        assume_different(a.s32, b.s32);
        assume_different(b.u32, before.u32);
        assume_different(b.s32, before.s32);
    }
}

}  // namespace

Scalar Scalar::constant(std::uint64_t value) {
    const auto low = static_cast<std::uint32_t>(value);
    return {{value, value}, {static_cast<std::int64_t>(value), static_cast<std::int64_t>(value)}, {low, low},
            {static_cast<std::int32_t>(low), static_cast<std::int32_t>(low)}, Tnum::constant(value)};
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

Scalar add(const Scalar& a, const Scalar& b) {
    Scalar x{add(a.u64, b.u64), add(a.s64, b.s64), add(a.u32, b.u32), add(a.s32, b.s32), add(a.bits, b.bits)};
    x.normalise();
    return x;
}

Scalar subtract(const Scalar& a, const Scalar& b) {
    Scalar x{subtract(a.u64, b.u64), subtract(a.s64, b.s64), subtract(a.u32, b.u32), subtract(a.s32, b.s32), subtract(a.bits, b.bits)};
    x.normalise();
    return x;
}

Scalar zero_extend(const Scalar& a, unsigned bytes) {
    if (bytes == 8) return a;
    const std::uint64_t limit = (std::uint64_t{1} << (bytes * 8)) - 1;
    if (a.u64.high <= limit) return a;
    Scalar x = from_bits(low_bits(a.bits, bytes * 8));
    if (bytes == 4) {
        x.u64 = intersect(x.u64, {a.u32.low, a.u32.high});
        x.u32 = intersect(x.u32, a.u32);
        x.s32 = intersect(x.s32, a.s32);
        x.normalise();
    } else if (a.u32.high <= limit) {
        x.u64 = intersect(x.u64, {a.u32.low, a.u32.high});
        x.normalise();
    }
    return x;
}

Scalar sign_extend(const Scalar& a, unsigned bytes) {
    if (bytes == 8) return a;
    const unsigned up = 64 - bytes * 8;
    const std::int64_t limit = std::int64_t{1} << (bytes * 8 - 1);
    if (a.s64.low >= -limit && a.s64.high < limit) return a;
    Scalar x = from_bits(shift_right_signed(shift_left(a.bits, up), up));
    x.s64 = intersect(x.s64, {-limit, limit - 1});
    if (bytes == 4) x.s64 = intersect(x.s64, {a.s32.low, a.s32.high});
    else if (a.s32.low >= -limit && a.s32.high < limit) x.s64 = intersect(x.s64, {a.s32.low, a.s32.high});
    x.normalise();
    return x;
}

Scalar compute(Alu op, unsigned width, const Scalar& a, const Scalar& b) {
    if (width == 64) return compute_wide(op, 64, a, b);
    switch (op) {
        case Alu::add:
        case Alu::sub:
        case Alu::mul:
        case Alu::neg:
        case Alu::or_:
        case Alu::and_:
        case Alu::xor_:
        case Alu::mov: return zero_extend(compute_wide(op, 32, a, b), 4);
        case Alu::lsh:
        case Alu::rsh:
        case Alu::div:
        case Alu::mod: return zero_extend(compute_wide(op, 32, zero_extend(a, 4), zero_extend(b, 4)), 4);
        case Alu::arsh:
        case Alu::sdiv:
        case Alu::smod: return zero_extend(compute_wide(op, 32, sign_extend(a, 4), sign_extend(b, 4)), 4);
    }
    __builtin_unreachable();
}

Scalar swap_bytes(ByteOrder order, unsigned bytes, const Scalar& a) {
    if (order == ByteOrder::little) return zero_extend(a, bytes);  // hosts are little endian
    const auto reverse = [&](std::uint64_t word) { return __builtin_bswap64(word) >> (64 - bytes * 8); };
    return from_bits({reverse(a.bits.value), reverse(a.bits.mask)});
}

void assume(Condition condition, unsigned width, bool holds, Scalar& a, Scalar& b) {
    switch (condition) {
        case Condition::eq: holds ? assume_equal(width, a, b) : assume_unequal(width, a, b); break;
        case Condition::ne: holds ? assume_unequal(width, a, b) : assume_equal(width, a, b); break;
        case Condition::set: assume_bits(width, holds, a, b); break;
        case Condition::gt: assume_order({false, holds, !holds}, width, a, b); break;
        case Condition::ge: assume_order({false, holds, holds}, width, a, b); break;
        case Condition::lt: assume_order({false, !holds, !holds}, width, a, b); break;
        case Condition::le: assume_order({false, !holds, holds}, width, a, b); break;
        case Condition::sgt: assume_order({true, holds, !holds}, width, a, b); break;
        case Condition::sge: assume_order({true, holds, holds}, width, a, b); break;
        case Condition::slt: assume_order({true, !holds, !holds}, width, a, b); break;
        case Condition::sle: assume_order({true, !holds, holds}, width, a, b); break;
    }
    a.normalise();
    b.normalise();
}

}  // namespace unibpf::analyser
