// Text: writes short texts into a buffer that the caller owns (handler values, configuration errors, Print's lines).
//
// Never writes past the buffer: what does not fit is cut off and `overflowed()` says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf {

// Bytes [from, from + length) of `text`, as far as they exist. Unlike substr it cannot throw, which nothing here could catch.
constexpr std::string_view slice(std::string_view text, std::size_t from, std::size_t length = std::string_view::npos) {
    if (from > text.size()) from = text.size();
    return {text.data() + from, length < text.size() - from ? length : text.size() - from};
}

class Text {
  public:
    explicit Text(std::span<char> buffer) : buffer_{buffer} {}

    Text& put(std::string_view text);
    Text& put(char c);
    Text& number(std::uint64_t value);
    Text& hex_byte(std::uint8_t byte);

    std::string_view view() const { return {buffer_.data(), length_}; }
    bool overflowed() const { return overflowed_; }

  private:
    std::span<char> buffer_;
    std::size_t length_ = 0;
    bool overflowed_ = false;
};

}  // namespace unibpf
