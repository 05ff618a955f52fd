// Scalar: what is known of one 64-bit word by itself: signed and unsigned intervals of the word and of its low half, and bits.
//
// Reduced product: `normalise` lets each component tighten the others until nothing that is cheap to find remains. Concretisation
// is the intersection of the components. An empty Scalar (`is_bottom`) means that the path is impossible. Every operation is
// sound for wrapping arithmetic (RFC 9669 4.1): where a bound may wrap it is given up, never guessed.
#pragma once

#include <cstdint>
#include <string>

#include "guest/bpf/bundle/isa.hpp"
#include "services/verifier/native/domains/tnum.hpp"

namespace unibpf::analyser {

template <typename T>
struct Interval {
    T low, high;
    constexpr bool operator==(const Interval&) const = default;
    constexpr bool empty() const { return low > high; }
    constexpr bool contains(T x) const { return low <= x && x <= high; }
    constexpr bool inside(const Interval& other) const { return other.low <= low && high <= other.high; }
};

struct Scalar {
    Interval<std::uint64_t> u64{0, UINT64_MAX};
    Interval<std::int64_t> s64{INT64_MIN, INT64_MAX};
    Interval<std::uint32_t> u32{0, UINT32_MAX};
    Interval<std::int32_t> s32{INT32_MIN, INT32_MAX};
    Tnum bits{};

    static Scalar top() { return {}; }
    static Scalar constant(std::uint64_t value);
    static Scalar unsigned_range(std::uint64_t low, std::uint64_t high);
    static Scalar signed_range(std::int64_t low, std::int64_t high);

    bool operator==(const Scalar&) const = default;
    bool is_constant() const { return u64.low == u64.high; }
    bool is_bottom() const { return u64.empty() || s64.empty() || u32.empty() || s32.empty(); }
    bool contains(std::uint64_t x) const;
    bool leq(const Scalar& other) const;
    void normalise();

    // True if the word is its own zero-extended (sign-extended) low half.
    bool fits_u32() const { return u64.high <= UINT32_MAX; }
    bool fits_s32() const { return s64.low >= INT32_MIN && s64.high <= INT32_MAX; }
};

Scalar join(const Scalar& a, const Scalar& b);
Scalar meet(const Scalar& a, const Scalar& b);

Scalar add(const Scalar& a, const Scalar& b);
Scalar subtract(const Scalar& a, const Scalar& b);
Scalar zero_extend(const Scalar& a, unsigned bytes);
Scalar sign_extend(const Scalar& a, unsigned bytes);

// RFC 9669 4.1 and 4.2, both widths; division and modulo by zero, and shifts masked to the width, as defined there.
Scalar compute(Alu op, unsigned width, const Scalar& a, const Scalar& b);
Scalar swap_bytes(ByteOrder order, unsigned bytes, const Scalar& a);

// Narrows both to the pairs for which `a condition b` (or its negation) holds; either may become bottom.
void assume(Condition condition, unsigned width, bool holds, Scalar& a, Scalar& b);

}  // namespace unibpf::analyser
