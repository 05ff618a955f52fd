// What a condition that holds, or does not, says of its operands (RFC 9669 4.3).
#include "services/verifier/native/domains/scalar.hpp"

#include <algorithm>
#include <limits>

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t low_half = UINT32_MAX;

template <typename T>
Interval<T> intersect(Interval<T> a, Interval<T> b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }
Scalar bottom() {
    Scalar x;
    x.u64 = {1, 0};
    return x;
}

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

struct Order {
    bool is_signed, swapped, or_equal;
};

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
