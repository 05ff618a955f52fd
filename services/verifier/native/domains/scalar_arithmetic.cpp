// What operators do to scalars (RFC 9669 4.1 and 4.2).
#include "services/verifier/native/domains/scalar.hpp"

#include <algorithm>
#include <limits>

namespace unibpf::analyser {
namespace {

template <typename T>
Interval<T> intersect(Interval<T> a, Interval<T> b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }
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
    return {std::min(std::min(products[0], products[1]), std::min(products[2], products[3])),
            std::max(std::max(products[0], products[1]), std::max(products[2], products[3]))};
}

Scalar from_bits(Tnum bits) {
    Scalar x;
    x.bits = bits;
    x.normalise();
    return x;
}

// Every word by n places, n < 64.
Scalar shift_by(Alu op, const Scalar& a, unsigned n) {
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

Scalar shift(Alu op, unsigned width, const Scalar& a, const Scalar& by) {
    const std::uint64_t limit = width - 1;
    if (by.is_constant()) return shift_by(op, a, static_cast<unsigned>(by.u64.low & limit));
    if (by.u64.high <= limit && by.u64.high - by.u64.low < 8) {  // few amounts: all of them
        Scalar x = shift_by(op, a, static_cast<unsigned>(by.u64.low));
        for (std::uint64_t n = by.u64.low + 1; n <= by.u64.high; ++n) x = join(x, shift_by(op, a, static_cast<unsigned>(n)));
        return x;
    }
    // Unknown amount: only the direction is known.
    if (op == Alu::rsh || (op == Alu::arsh && a.s64.low >= 0)) return Scalar::unsigned_range(0, a.u64.high);
    return Scalar::top();
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

}  // namespace

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

}  // namespace unibpf::analyser
