// Keys and values as words: what the hot paths of maps use instead of memcpy and memcmp with a length from memory.
#pragma once

#include <cstdint>
#include <cstring>

namespace unibpf::map_bytes {

constexpr std::uint32_t round8(std::uint32_t bytes) { return (bytes + 7) & ~7U; }

template <typename Word>
Word load(const std::uint8_t* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// The last, incomplete word: `bytes` is 1..7. Both words overlap, so that nothing beyond the end is read.
inline std::uint64_t load_tail(const std::uint8_t* from, std::uint32_t bytes) {
    if (bytes >= 4) return load<std::uint32_t>(from) | std::uint64_t{load<std::uint32_t>(from + bytes - 4)} << (8 * (bytes - 4));
    std::uint64_t word = from[0];
    if (bytes > 1) word |= std::uint64_t{load<std::uint16_t>(from + bytes - 2)} << (8 * (bytes - 2));
    return word;
}

inline bool equal(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t bytes) {
    for (; bytes >= 8; bytes -= 8, a += 8, b += 8) {
        if (load<std::uint64_t>(a) != load<std::uint64_t>(b)) return false;
    }
    return bytes == 0 || load_tail(a, bytes) == load_tail(b, bytes);
}

// The ranges are the same or do not overlap.
inline void copy(std::uint8_t* to, const std::uint8_t* from, std::uint32_t bytes) {
    for (; bytes >= 8; bytes -= 8, to += 8, from += 8) std::memcpy(to, from, 8);
    if (bytes & 4) {
        std::memcpy(to, from, 4);
        to += 4, from += 4;
    }
    if (bytes & 2) {
        std::memcpy(to, from, 2);
        to += 2, from += 2;
    }
    if (bytes & 1) *to = *from;
}

}  // namespace unibpf::map_bytes
