// The Internet checksum: RFC 1071 over bytes, RFC 1624 after a change of one word.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace unibpf::wire {

// RFC 1071 2 (C): the ones' complement sum of 32-bit words as this CPU loads them, the last one filled up with zeroes.
inline std::uint32_t sum_of_words(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = start;
    std::uint32_t word;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        std::memcpy(&word, at, sizeof word);
        sum += word;
    }
    if (left != 0) {
        word = 0;
        std::memcpy(&word, at, left);
        sum += word;
    }
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    return static_cast<std::uint32_t>(sum + (sum >> 32));
}

inline std::uint16_t fold(std::uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum + (sum >> 16));
}

// The sum over `bytes`, as a number: 2 (B) lets it be swapped at the end instead of each word.
inline std::uint16_t sum(std::span<const std::uint8_t> bytes) {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    return __builtin_bswap16(fold(sum_of_words(bytes)));
}

// 0 when the sum over a header with its checksum is right. `start`: the pseudo header's part, folded or not.
inline std::uint16_t checksum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
    return static_cast<std::uint16_t>(~fold(std::uint32_t{sum(bytes)} + fold(start)));
}

// RFC 1624, equation 3: a checksum after one 16-bit word changed.
inline std::uint16_t updated_checksum(std::uint16_t old_sum, std::uint16_t old_word, std::uint16_t new_word) {
    const std::uint32_t minus = static_cast<std::uint16_t>(~old_word);
    return static_cast<std::uint16_t>(~fold(static_cast<std::uint16_t>(~old_sum) + minus + new_word));
}

}  // namespace unibpf::wire
