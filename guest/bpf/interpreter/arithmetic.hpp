// What RFC 9669 says operators compute, as pure functions: shared by the interpreter and by whoever folds constants.
//
// Everything is defined for every input: division by zero is 0 and modulo by zero the dividend (4.1), the most negative number
// divided by -1 is itself, shift counts are masked to the width. Results of width 32 come zero-extended.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "guest/bpf/bundle/isa.hpp"

namespace unibpf::arithmetic {

template <std::unsigned_integral U>
constexpr U signed_divide(U a, U b) {
    using S = std::make_signed_t<U>;
    if (b == 0) return 0;
    if (static_cast<S>(b) == -1) return static_cast<U>(0 - a);
    return static_cast<U>(static_cast<S>(a) / static_cast<S>(b));
}

template <std::unsigned_integral U>
constexpr U signed_modulo(U a, U b) {
    using S = std::make_signed_t<U>;
    if (b == 0) return a;
    if (static_cast<S>(b) == -1) return 0;
    return static_cast<U>(static_cast<S>(a) % static_cast<S>(b));
}

template <Alu operation, std::unsigned_integral U>
constexpr U compute(U a, U b) {
    constexpr U mask = std::numeric_limits<U>::digits - 1;
    switch (operation) {
        case Alu::add: return a + b;
        case Alu::sub: return a - b;
        case Alu::mul: return a * b;
        case Alu::div: return b == 0 ? 0 : a / b;
        case Alu::sdiv: return signed_divide(a, b);
        case Alu::or_: return a | b;
        case Alu::and_: return a & b;
        case Alu::lsh: return a << (b & mask);
        case Alu::rsh: return a >> (b & mask);
        case Alu::neg: return 0 - a;
        case Alu::mod: return b == 0 ? a : a % b;
        case Alu::smod: return signed_modulo(a, b);
        case Alu::xor_: return a ^ b;
        case Alu::mov: return b;
        case Alu::arsh: return static_cast<U>(static_cast<std::make_signed_t<U>>(a) >> (b & mask));
    }
}

template <Condition condition, std::unsigned_integral U>
constexpr bool holds(U a, U b) {
    using S = std::make_signed_t<U>;
    const S x = static_cast<S>(a);
    const S y = static_cast<S>(b);
    switch (condition) {
        case Condition::eq: return a == b;
        case Condition::gt: return a > b;
        case Condition::ge: return a >= b;
        case Condition::set: return (a & b) != 0;
        case Condition::ne: return a != b;
        case Condition::sgt: return x > y;
        case Condition::sge: return x >= y;
        case Condition::lt: return a < b;
        case Condition::le: return a <= b;
        case Condition::slt: return x < y;
        case Condition::sle: return x <= y;
    }
}

constexpr std::uint64_t sign_extend(std::uint64_t value, unsigned bytes) {
    const unsigned shift = 64 - 8 * bytes;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
}

constexpr std::uint64_t zero_extend(std::uint64_t value, unsigned bytes) {
    return bytes == 8 ? value : value & ((std::uint64_t{1} << (8 * bytes)) - 1);
}

// The machine is little endian (3): `little` only truncates.
constexpr std::uint64_t reorder(ByteOrder order, std::uint64_t value, unsigned bytes) {
    if (order == ByteOrder::little) return zero_extend(value, bytes);
    return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

// New value of the memory operand of an atomic (5.3); cmpxchg is not a function of these two alone.
template <Atomic operation, std::unsigned_integral U>
constexpr U combine(U memory, U operand) {
    switch (operation) {
        case Atomic::add:
        case Atomic::fetch_add: return memory + operand;
        case Atomic::or_:
        case Atomic::fetch_or: return memory | operand;
        case Atomic::and_:
        case Atomic::fetch_and: return memory & operand;
        case Atomic::xor_:
        case Atomic::fetch_xor: return memory ^ operand;
        case Atomic::xchg:
        case Atomic::cmpxchg: return operand;
    }
}

}  // namespace unibpf::arithmetic
