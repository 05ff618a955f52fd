#include "guest/core/format.hpp"

namespace unibpf {

void TextWriter::put(char c) {
    if (size_ == capacity_) {
        cut_ = true;
        return;
    }
    buffer_[size_++] = c;
}

TextWriter& TextWriter::text(std::string_view part) {
    for (const char c : part) put(c);
    return *this;
}

TextWriter& TextWriter::visible(std::string_view foreign) {
    for (const char c : foreign) {
        if (c >= ' ' && c <= '~') put(c);
        else text("\\x").hex(static_cast<std::uint8_t>(c), 2);
    }
    return *this;
}

TextWriter& TextWriter::number(std::uint64_t value) {
    char digits[20];
    std::size_t n = 0;
    do {
        digits[n++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) put(digits[--n]);
    return *this;
}

TextWriter& TextWriter::hex(std::uint64_t value, unsigned width) {
    constexpr std::string_view hex_digits = "0123456789abcdef";
    unsigned n = 16;
    while (n > width && value >> (4 * (n - 1)) == 0) --n;
    for (; n > 0; --n) put(hex_digits[(value >> (4 * (n - 1))) & 15]);
    return *this;
}

}  // namespace unibpf
