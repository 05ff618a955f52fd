// Known bits: a set of 64-bit words given by `value` (bits known to be one) and `mask` (bits not known); value & mask = 0.
//
// Concretisation: { x : (x & ~mask) == value }. The arithmetic follows Vishwanathan et al., "Sound, precise and fast abstract
// interpretation with tristate numbers" (CGO 2022): carries and borrows of the extreme members tell which bits may vary.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

namespace unibpf::analyser {

struct Tnum {
    std::uint64_t value = 0;
    std::uint64_t mask = ~std::uint64_t{0};

    static constexpr Tnum constant(std::uint64_t v) { return {v, 0}; }
    static constexpr Tnum top() { return {}; }

    // Smallest known-bits set that holds [low, high]: the common leading bits.
    static constexpr Tnum range(std::uint64_t low, std::uint64_t high) {
        const std::uint64_t differ = low ^ high;
        const int bits = 64 - std::countl_zero(differ);
        if (bits == 64) return top();
        const std::uint64_t unknown = (std::uint64_t{1} << bits) - 1;
        return {low & ~unknown, unknown};
    }

    constexpr bool operator==(const Tnum&) const = default;
    constexpr bool is_constant() const { return mask == 0; }
    constexpr bool contains(std::uint64_t x) const { return (x & ~mask) == value; }
    constexpr bool leq(Tnum other) const { return (mask & ~other.mask) == 0 && (value & ~other.mask) == other.value; }
    constexpr std::uint64_t min() const { return value; }
    constexpr std::uint64_t max() const { return value | mask; }
};

constexpr Tnum join(Tnum a, Tnum b) {
    const std::uint64_t mask = a.mask | b.mask | (a.value ^ b.value);
    return {a.value & ~mask, mask};
}

// Nothing if the two contradict each other.
constexpr std::optional<Tnum> meet(Tnum a, Tnum b) {
    if (((a.value ^ b.value) & ~a.mask & ~b.mask) != 0) return std::nullopt;
    const std::uint64_t mask = a.mask & b.mask;
    return Tnum{(a.value | b.value) & ~mask, mask};
}

constexpr Tnum add(Tnum a, Tnum b) {
    const std::uint64_t low = a.value + b.value;
    const std::uint64_t high = low + a.mask + b.mask;
    const std::uint64_t mask = (low ^ high) | a.mask | b.mask;
    return {low & ~mask, mask};
}

constexpr Tnum subtract(Tnum a, Tnum b) {
    const std::uint64_t difference = a.value - b.value;
    const std::uint64_t mask = ((difference + a.mask) ^ (difference - b.mask)) | a.mask | b.mask;
    return {difference & ~mask, mask};
}

constexpr Tnum bit_and(Tnum a, Tnum b) {
    const std::uint64_t ones = a.value & b.value;
    return {ones, (a.value | a.mask) & (b.value | b.mask) & ~ones};
}

constexpr Tnum bit_or(Tnum a, Tnum b) {
    const std::uint64_t ones = a.value | b.value;
    return {ones, (a.mask | b.mask) & ~ones};
}

constexpr Tnum bit_xor(Tnum a, Tnum b) {
    const std::uint64_t mask = a.mask | b.mask;
    return {(a.value ^ b.value) & ~mask, mask};
}

constexpr Tnum shift_left(Tnum a, unsigned by) { return {a.value << by, a.mask << by}; }
constexpr Tnum shift_right(Tnum a, unsigned by) { return {a.value >> by, a.mask >> by}; }
constexpr Tnum shift_right_signed(Tnum a, unsigned by) {
    return {static_cast<std::uint64_t>(static_cast<std::int64_t>(a.value) >> by),
            static_cast<std::uint64_t>(static_cast<std::int64_t>(a.mask) >> by)};
}

// Trailing zeros of a product are the sum of the factors' trailing zeros; a constant power of two is a shift.
constexpr Tnum multiply(Tnum a, Tnum b) {
    if (a.is_constant() && b.is_constant()) return Tnum::constant(a.value * b.value);
    if (b.is_constant() && std::has_single_bit(b.value)) return shift_left(a, static_cast<unsigned>(std::countr_zero(b.value)));
    if (a.is_constant() && std::has_single_bit(a.value)) return shift_left(b, static_cast<unsigned>(std::countr_zero(a.value)));
    const int zeros = std::countr_zero(a.value | a.mask) + std::countr_zero(b.value | b.mask);
    return zeros >= 64 ? Tnum::constant(0) : Tnum{0, ~std::uint64_t{0} << zeros};
}

constexpr Tnum low_bits(Tnum a, unsigned bits) {
    const std::uint64_t keep = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    return {a.value & keep, a.mask & keep};
}

}  // namespace unibpf::analyser
