#include "guest/graph/text.hpp"

#include "guest/core/format.hpp"

namespace unibpf {

Text& Text::put(char c) {
    if (length_ < buffer_.size()) buffer_[length_++] = c;
    else overflowed_ = true;
    return *this;
}

Text& Text::put(std::string_view text) {
    for (char c : text) put(c);
    return *this;
}

Text& Text::number(std::uint64_t value) {
    TextBuffer<20> digits;
    return put(digits.number(value).view());
}

Text& Text::hex_byte(std::uint8_t byte) {
    TextBuffer<2> digits;
    return put(digits.hex(byte, 2).view());
}

}  // namespace unibpf
