// Randomness for maps and bpf_get_prandom_u32: one generator, seeded once a boot.
//
// Not for keys: it only has to be unknown to whoever sends packets. The stream is SipHash (Aumasson, Bernstein 2012) with one
// and three rounds over a counter.
//
// hash() is pair-multiply-shift (Thorup, "High Speed Hashing for Integers and Strings", 2015, section 3.5): the sum of products
// (a + left half)(b + right half) over the 64-bit words of the key, modulo 2^64, with random a and b for each word. Of its
// high bits, up to 32, any two different keys have the same with no more than the chance that they had for a random function.
// That holds for keys that were chosen without knowledge of a and b, which no packet reveals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace unibpf::random {

// From the boot seed (HKDF output). Without a call the platform's entropy and clock are used. Call before maps are made:
// what is hashed under the old key would not be found under the new one.
void seed(std::span<const std::uint8_t, 16> bytes);

std::uint32_t next_u32();

// Seeds the generator if nobody has; before the first hash().
void prepare();

inline constexpr std::size_t hash_words = 2 + 2 * (512 / 8);  // for the longest key, abi::max_key_bytes
extern std::uint64_t secrets[hash_words];                     // set by prepare() or seed(), constant then

inline std::uint64_t product(std::size_t word, std::uint64_t value) {
    return (secrets[2 * word + 1] + (value >> 32)) * (secrets[2 * word + 2] + static_cast<std::uint32_t>(value));
}

// Take the high bits. All keys of one table must be hashed by the same one of these.
inline std::uint64_t hash(std::uint32_t key) { return secrets[0] + secrets[1] * key; }
inline std::uint64_t hash(std::uint64_t key) { return secrets[0] + product(0, key); }
inline std::uint64_t hash(std::uint64_t first, std::uint64_t second) { return secrets[0] + product(0, first) + product(1, second); }
std::uint64_t hash(std::span<const std::uint8_t> key);

}  // namespace unibpf::random
