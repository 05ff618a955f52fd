// Text: writes short texts into a buffer that the caller owns (handler values, configuration errors, Print's lines).
//
// Never writes past the buffer: what does not fit is cut off and `overflowed()` says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/core/format.hpp"

namespace unibpf {

// Bytes [from, from + length) of `text`, as far as they exist. Unlike substr it cannot throw, which nothing here could catch.
constexpr std::string_view slice(std::string_view text, std::size_t from, std::size_t length = std::string_view::npos) {
    if (from > text.size()) from = text.size();
    return {text.data() + from, length < text.size() - from ? length : text.size() - from};
}

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
    Text& number(std::uint64_t value) { return put(TextBuffer<20>{}.number(value).view()); }
    Text& hex_byte(std::uint8_t byte) { return put(TextBuffer<2>{}.hex(byte, 2).view()); }

    std::string_view view() const { return {buffer_.data(), length_}; }
    bool overflowed() const { return overflowed_; }

  private:
    std::span<char> buffer_;
    std::size_t length_ = 0;
    bool overflowed_ = false;
};

}  // namespace unibpf
