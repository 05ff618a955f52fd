// What a condition that holds says of its operands (RFC 9669 4.3).
#include <algorithm>
#include <limits>

#include "services/signer/native/values/word.hpp"

namespace unibpf::certificate {
namespace {

// a < b, or a <= b; false if that cannot be.
template <typename T>
bool less(Range<T>& a, Range<T>& b, bool or_equal) {
    if (!or_equal && (b.high == std::numeric_limits<T>::min() || a.low == std::numeric_limits<T>::max())) return false;
    const T gap = or_equal ? 0 : 1;
    a.high = std::min<T>(a.high, static_cast<T>(b.high - gap));
    b.low = std::max<T>(b.low, static_cast<T>(a.low + gap));
    return !a.empty() && !b.empty();
}

// A single number is cut off an end of the other range.
template <typename T>
bool differ(Range<T>& a, const Range<T>& b) {
    if (b.low != b.high) return true;
    if (a.low == a.high) return a.low != b.low;
    if (a.low == b.low) ++a.low;
    else if (a.high == b.low) --a.high;
    return true;
}

bool equal(unsigned width, Word& a, Word& b) {
    if (width == 64) {
        if (!a.meet(b)) return false;
        b = a;
        return true;
    }
    const auto half_of = [](const Word& x) {
        Word half;
        half.hu = x.hu;
        half.hs = x.hs;
        half.ones = x.ones & UINT32_MAX;
        half.fuzzy = x.fuzzy | ~std::uint64_t{UINT32_MAX};
        return half;
    };
    const Word left = half_of(a), right = half_of(b);
    return a.meet(right) && b.meet(left);
}

bool unequal(unsigned width, Word& a, Word& b) {
    const Word left = a;
    if (width == 64) return differ(a.u, b.u) && differ(a.s, b.s) && differ(b.u, left.u) && differ(b.s, left.s);
    return differ(a.hu, b.hu) && differ(a.hs, b.hs) && differ(b.hu, left.hu) && differ(b.hs, left.hs);
}

bool ordered(bool is_signed, bool or_equal, unsigned width, Word& small, Word& large) {
    if (width == 64) return is_signed ? less(small.s, large.s, or_equal) : less(small.u, large.u, or_equal);
    return is_signed ? less(small.hs, large.hs, or_equal) : less(small.hu, large.hu, or_equal);
}

std::uint64_t tested(unsigned width, const Word& mask) { return width == 64 ? mask.u.low : mask.u.low & UINT32_MAX; }

// (a & b) != 0 for a b that is known.
bool some_set(unsigned width, Word& a, const Word& b) {
    if (!b.known()) return true;
    const std::uint64_t bits = tested(width, b);
    if (((a.ones | a.fuzzy) & bits) == 0) return false;
    if ((bits & (bits - 1)) != 0) return true;
    a.ones |= bits;
    a.fuzzy &= ~bits;
    return true;
}

}  // namespace

bool keep_unset(unsigned width, Word& a, const Word& b) {
    if (!b.known()) return true;
    const std::uint64_t bits = tested(width, b);
    if ((a.ones & bits) != 0) return false;
    a.fuzzy &= ~bits;
    return a.settle();
}

bool keep(Test test, unsigned width, Word& a, Word& b) {
    const auto holds = [&] {
        switch (test) {
            case Test::eq: return equal(width, a, b);
            case Test::ne: return unequal(width, a, b);
            case Test::set: return some_set(width, a, b);
            case Test::gt: return ordered(false, false, width, b, a);
            case Test::ge: return ordered(false, true, width, b, a);
            case Test::lt: return ordered(false, false, width, a, b);
            case Test::le: return ordered(false, true, width, a, b);
            case Test::sgt: return ordered(true, false, width, b, a);
            case Test::sge: return ordered(true, true, width, b, a);
            case Test::slt: return ordered(true, false, width, a, b);
            case Test::sle: return ordered(true, true, width, a, b);
        }
        __builtin_unreachable();
    };
    return holds() && a.settle() && b.settle();
}

Test opposite(Test test) {
    switch (test) {
        case Test::eq: return Test::ne;
        case Test::ne: return Test::eq;
        case Test::gt: return Test::le;
        case Test::ge: return Test::lt;
        case Test::lt: return Test::ge;
        case Test::le: return Test::gt;
        case Test::sgt: return Test::sle;
        case Test::sge: return Test::slt;
        case Test::slt: return Test::sge;
        case Test::sle: return Test::sgt;
        case Test::set: break;
    }
    __builtin_unreachable();
}

}  // namespace unibpf::certificate
