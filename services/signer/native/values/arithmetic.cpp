// Operations on Words (RFC 9669 4.1, 4.2).
#include <algorithm>
#include <bit>
#include <limits>

#include "services/signer/native/values/word.hpp"

namespace unibpf::certificate {
namespace {

using Wide = __int128;

// The range of a result that was computed without wrapping: all of it is shifted by the same multiple of 2^n, or it is lost.
template <typename T>
Range<T> wrapped(Wide low, Wide high) {
    constexpr Wide size = Wide{1} << (8 * sizeof(T));
    constexpr Wide least = std::numeric_limits<T>::min();
    const Wide turns = (low - least) >= 0 ? (low - least) / size : -((size - 1 - (low - least)) / size);
    if (high - turns * size > Wide{std::numeric_limits<T>::max()}) return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    return {static_cast<T>(low - turns * size), static_cast<T>(high - turns * size)};
}

template <typename T>
Range<T> sum(Range<T> a, Range<T> b) { return wrapped<T>(Wide{a.low} + b.low, Wide{a.high} + b.high); }
template <typename T>
Range<T> difference(Range<T> a, Range<T> b) { return wrapped<T>(Wide{a.low} - b.high, Wide{a.high} - b.low); }

// Only products that do not leave the type: 128 bits would not hold their turns.
template <typename T>
Range<T> product(Range<T> a, Range<T> b) {
    T corner[4];
    const bool lost = __builtin_mul_overflow(a.low, b.low, &corner[0]) || __builtin_mul_overflow(a.low, b.high, &corner[1]) ||
                      __builtin_mul_overflow(a.high, b.low, &corner[2]) || __builtin_mul_overflow(a.high, b.high, &corner[3]);
    if (lost) return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    const auto [low, high] = std::minmax_element(corner, corner + 4);
    return {*low, *high};
}

// Every result of an operation on possible numbers is possible; a contradiction would be a fault of this file, so it is no proof.
Word settled(Word x) { return x.settle() ? x : Word{}; }

// Bits of a + b: where both extremes of the unknown bits agree on all carries, the sum is known.
void add_bits(Word& x, const Word& a, const Word& b) {
    const std::uint64_t least = a.ones + b.ones, most = least + a.fuzzy + b.fuzzy;
    x.fuzzy = (least ^ most) | a.fuzzy | b.fuzzy;
    x.ones = least & ~x.fuzzy;
}
void subtract_bits(Word& x, const Word& a, const Word& b) {
    const std::uint64_t middle = a.ones - b.ones;
    x.fuzzy = ((middle + a.fuzzy) ^ (middle - b.fuzzy)) | a.fuzzy | b.fuzzy;
    x.ones = middle & ~x.fuzzy;
}

// Zeros at the lower end add up; a power of two shifts.
void multiply_bits(Word& x, const Word& a, const Word& b) {
    const Word *one = b.known() ? &b : &a, *other = b.known() ? &a : &b;
    if (one->known() && std::has_single_bit(one->ones)) {
        const int by = std::countr_zero(one->ones);
        x.ones = other->ones << by;
        x.fuzzy = other->fuzzy << by;
        return;
    }
    const int zeros = std::countr_zero(a.ones | a.fuzzy) + std::countr_zero(b.ones | b.fuzzy);
    x.ones = 0;
    x.fuzzy = zeros >= 64 ? 0 : UINT64_MAX << zeros;
}

Word times(const Word& a, const Word& b) {
    if (a.known() && b.known()) return Word::exactly(a.u.low * b.u.low);
    Word x{product(a.u, b.u), product(a.s, b.s), product(a.hu, b.hu), product(a.hs, b.hs)};
    multiply_bits(x, a, b);
    return settled(x);
}

Word bitwise(Alu op, const Word& a, const Word& b) {
    Word x;
    const std::uint64_t known = ~(a.fuzzy | b.fuzzy);
    if (op == Alu::bit_and) {
        x.ones = a.ones & b.ones;
        x.fuzzy = (a.ones | a.fuzzy) & (b.ones | b.fuzzy) & ~x.ones;
        x.u.high = std::min(a.u.high, b.u.high);
        x.hu.high = std::min(a.hu.high, b.hu.high);
    } else if (op == Alu::bit_or) {
        x.ones = a.ones | b.ones;
        x.fuzzy = (a.fuzzy | b.fuzzy) & ~x.ones;
        x.u.low = std::max(a.u.low, b.u.low);
        x.hu.low = std::max(a.hu.low, b.hu.low);
    } else {
        x.ones = (a.ones ^ b.ones) & known;
        x.fuzzy = ~known;
    }
    if (a.s.low >= 0 && b.s.low >= 0 && op != Alu::bit_and) x.s.low = 0;
    return settled(x);
}

Word shift_by(Alu op, unsigned by, const Word& a) {
    Word x;
    if (op == Alu::lsh) {
        x.ones = a.ones << by;
        x.fuzzy = a.fuzzy << by;
        if (a.u.high <= UINT64_MAX >> by) x.u = {a.u.low << by, a.u.high << by};
        if (by < 32 && a.hu.high <= UINT32_MAX >> by) x.hu = {a.hu.low << by, a.hu.high << by};
        if (by < 63 && a.s.low >= INT64_MIN >> by && a.s.high <= INT64_MAX >> by) x.s = {a.s.low * (std::int64_t{1} << by), a.s.high * (std::int64_t{1} << by)};
    } else if (op == Alu::rsh) {
        x.ones = a.ones >> by;
        x.fuzzy = a.fuzzy >> by;
        x.u = {a.u.low >> by, a.u.high >> by};
    } else {
        x.ones = static_cast<std::uint64_t>(static_cast<std::int64_t>(a.ones) >> by);
        x.fuzzy = static_cast<std::uint64_t>(static_cast<std::int64_t>(a.fuzzy) >> by);
        x.s = {a.s.low >> by, a.s.high >> by};
    }
    return settled(x);
}

// The amount is masked to the width (RFC 9669 4.1).
Word shift(Alu op, unsigned width, const Word& a, const Word& by) {
    const unsigned mask = width - 1;
    if (by.known()) return shift_by(op, static_cast<unsigned>(by.u.low) & mask, a);
    if (by.u.high <= mask && by.u.high - by.u.low < 16) {
        Word x = shift_by(op, static_cast<unsigned>(by.u.low), a);
        for (std::uint64_t n = by.u.low + 1; n <= by.u.high; ++n) x = hull(x, shift_by(op, static_cast<unsigned>(n), a));
        return settled(x);
    }
    if (op == Alu::rsh || (op == Alu::arsh && a.s.low >= 0)) return Word::between(0, a.u.high);
    if (op == Alu::arsh) return Word::signed_between(std::min<std::int64_t>(a.s.low, 0), std::max<std::int64_t>(a.s.high, 0));
    return {};
}

// x / 0 is 0, x % 0 is x (RFC 9669 4.1).
Word divide(bool remainder, const Word& a, const Word& b) {
    if (remainder) {
        if (a.u.high < b.u.low) return a;
        const std::uint64_t most = b.u.low == 0 ? a.u.high : std::min(a.u.high, b.u.high - 1);
        return Word::between(0, most);
    }
    if (b.u.low == 0) return Word::between(0, a.u.high);
    return Word::between(a.u.low / b.u.high, a.u.high / b.u.low);
}

// Towards zero; the quotient is no larger than the dividend, the remainder has its sign.
Word divide_signed(bool remainder, const Word& a, const Word& b) {
    if (a.s.low == INT64_MIN) return {};
    if (a.known() && b.known() && b.s.low != 0) return Word::exactly(static_cast<std::uint64_t>(remainder ? a.s.low % b.s.low : a.s.low / b.s.low));
    const std::int64_t size = std::max(std::abs(a.s.low), std::abs(a.s.high));
    if (remainder) {
        const std::int64_t most = b.s.low > 0 ? std::min(size, b.s.high - 1) : size;
        return Word::signed_between(a.s.low >= 0 ? 0 : -most, a.s.high <= 0 ? 0 : most);
    }
    if (a.s.low >= 0 && b.s.low > 0) return Word::signed_between(a.s.low / b.s.high, a.s.high / b.s.low);
    return Word::signed_between(-size, size);
}

Word on_all_bits(Alu op, bool is_signed, unsigned width, const Word& a, const Word& b) {
    switch (op) {
        case Alu::add: return plus(a, b);
        case Alu::sub: return minus(a, b);
        case Alu::neg: return minus(Word::exactly(0), a);
        case Alu::mul: return times(a, b);
        case Alu::div: return is_signed ? divide_signed(false, a, b) : divide(false, a, b);
        case Alu::mod: return is_signed ? divide_signed(true, a, b) : divide(true, a, b);
        case Alu::bit_or:
        case Alu::bit_and:
        case Alu::bit_xor: return bitwise(op, a, b);
        case Alu::lsh:
        case Alu::rsh:
        case Alu::arsh: return shift(op, width, a, b);
        case Alu::mov: return b;
    }
    __builtin_unreachable();
}

}  // namespace

Word plus(const Word& a, const Word& b) {
    Word x{sum(a.u, b.u), sum(a.s, b.s), sum(a.hu, b.hu), sum(a.hs, b.hs)};
    add_bits(x, a, b);
    return settled(x);
}

Word minus(const Word& a, const Word& b) {
    Word x{difference(a.u, b.u), difference(a.s, b.s), difference(a.hu, b.hu), difference(a.hs, b.hs)};
    subtract_bits(x, a, b);
    return settled(x);
}

// Operations whose low half depends on low halves only need not cut their operands first.
Word compute(Alu op, bool is_signed, unsigned width, const Word& a, const Word& b) {
    if (width == 64) return on_all_bits(op, is_signed, 64, a, b);
    const bool cuts = op == Alu::mul || op == Alu::lsh || op == Alu::rsh || op == Alu::arsh || op == Alu::div || op == Alu::mod;
    if (!cuts) return low_bytes(on_all_bits(op, false, 32, a, b), 4);
    const bool extends = op == Alu::arsh || is_signed;
    const Word left = extends ? signed_bytes(a, 4) : low_bytes(a, 4), right = extends ? signed_bytes(b, 4) : low_bytes(b, 4);
    return low_bytes(on_all_bits(op, is_signed, 32, left, right), 4);
}

Word low_bytes(const Word& a, unsigned bytes) {
    const std::uint64_t most = bytes == 8 ? UINT64_MAX : (std::uint64_t{1} << (8 * bytes)) - 1;
    if (a.u.high <= most) return a;
    Word x;
    x.ones = a.ones & most;
    x.fuzzy = a.fuzzy & most;
    if (bytes == 4) x.hs = a.hs;
    if (a.hu.high <= most) x.u = {a.hu.low, a.hu.high};
    return settled(x);
}

Word signed_bytes(const Word& a, unsigned bytes) {
    const std::int64_t half = bytes == 8 ? INT64_MAX : (std::int64_t{1} << (8 * bytes - 1)) - 1;
    if (a.s.low >= -half - 1 && a.s.high <= half) return a;
    const unsigned up = 64 - 8 * bytes;
    Word x;
    x.ones = static_cast<std::uint64_t>(static_cast<std::int64_t>(a.ones << up) >> up);
    x.fuzzy = static_cast<std::uint64_t>(static_cast<std::int64_t>(a.fuzzy << up) >> up);
    x.s = {-half - 1, half};
    if (a.hs.low >= -half - 1 && a.hs.high <= half) x.s = {a.hs.low, a.hs.high};
    return settled(x);
}

Word swapped(const Word& a, unsigned bytes) {
    Word x;
    x.ones = __builtin_bswap64(a.ones) >> (64 - 8 * bytes);
    x.fuzzy = __builtin_bswap64(a.fuzzy) >> (64 - 8 * bytes);
    return settled(x);
}

}  // namespace unibpf::certificate
