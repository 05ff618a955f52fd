// Text: writes short texts into a buffer that the caller owns (handler values, configuration errors, Print's lines).
//
// Never writes past the buffer: what does not fit is cut off and `overflowed()` says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf {

class Text {
  public:
    explicit Text(std::span<char> buffer) : buffer_{buffer} {}

    Text& put(std::string_view text) {
        for (char c : text) put(c);
        return *this;
    }
    Text& put(char c) {
        if (length_ < buffer_.size()) {
            buffer_[length_++] = c;
        } else {
            overflowed_ = true;
        }
        return *this;
    }
    Text& number(std::uint64_t value) {
        char digits[20];
        std::size_t n = 0;
        do digits[n++] = static_cast<char>('0' + value % 10);
        while (value /= 10);
        while (n) put(digits[--n]);
        return *this;
    }
    Text& hex_byte(std::uint8_t byte) {
        constexpr char kDigits[] = "0123456789abcdef";
        return put(kDigits[byte >> 4]).put(kDigits[byte & 15]);
    }

    std::string_view view() const { return {buffer_.data(), length_}; }
    bool overflowed() const { return overflowed_; }

  private:
    std::span<char> buffer_;
    std::size_t length_ = 0;
    bool overflowed_ = false;
};

}  // namespace unibpf
