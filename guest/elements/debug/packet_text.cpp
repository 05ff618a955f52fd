#include "guest/elements/debug/packet_text.hpp"

#include "guest/core/format.hpp"
#include "guest/graph/args.hpp"

namespace unibpf {

bool read_packet_text(std::string_view word, PacketText& value) {
    bool some = false;
    if (word == "NONE") value = PacketText::none;
    else if (word == "HEX") value = PacketText::hex;
    else if (word == "ASCII") value = PacketText::ascii;
    else if (read_word(word, some)) value = some ? PacketText::hex : PacketText::none;
    else return false;
    return true;
}

void put_padded(Text& line, std::uint64_t number, unsigned width) {
    TextBuffer<20> digits;
    digits.number(number);
    for (std::size_t i = digits.view().size(); i < width; ++i) line.put(' ');
    line.put(digits.view());
}

void put_time(Text& line, std::uint64_t ns) {
    constexpr std::uint64_t second_ns = 1'000'000'000;
    const std::uint64_t rest = ns % second_ns;
    const bool micro = rest % 1000 == 0;
    line.number(ns / second_ns).put('.');
    for (std::uint64_t unit = second_ns / 10; unit >= (micro ? 1000u : 1u); unit /= 10) line.put(static_cast<char>('0' + rest / unit % 10));
}

void put_ip(Text& line, std::span<const std::uint8_t> address) {
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) line.put('.');
        line.number(address[i]);
    }
}

void put_bytes(Text& line, std::span<const std::uint8_t> bytes, PacketText form, std::size_t per_line) {
    const std::size_t group = form == PacketText::hex ? 4 : 8;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (per_line > 0 && i % per_line == 0) line.put("\n  ");
        else if (i > 0 && i % group == 0) line.put(' ');
        const std::uint8_t byte = bytes[i];
        if (form == PacketText::hex) line.hex_byte(byte);
        else line.put(byte >= ' ' && byte < 0x7f ? static_cast<char>(byte) : '.');
    }
}

}  // namespace unibpf
