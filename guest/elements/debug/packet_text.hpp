// How Print and IPPrint write times, addresses and bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guest/graph/text.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

enum class PacketText : std::uint8_t {
    none,
    hex,
    ascii
};

// A line holds at most so much: label, headers, and every byte that a packet can have, in hexadecimal.
inline constexpr std::size_t longest_label = 64;
inline constexpr std::size_t longest_print_line = longest_label + 256 + Packet::slot_bytes * 5 / 2;

// NONE, HEX, ASCII, or a truth value; false when it is none of these.
bool read_packet_text(std::string_view word, PacketText& value);

// seconds.microseconds, nine digits where six do not hold it.
void put_time(Text& line, std::uint64_t ns);
void put_ip(Text& line, std::span<const std::uint8_t> address);
void put_padded(Text& line, std::uint64_t number, unsigned width);
// Bytes in one line, or, where `per_line` is given, each line begun by "\n  ".
void put_bytes(Text& line, std::span<const std::uint8_t> bytes, PacketText form, std::size_t per_line = 0);

}  // namespace unibpf
