// Text into a fixed buffer: what does not fit is cut and `cut()` says so. No locale, no heap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unibpf {

template <std::size_t N>
class TextBuffer {
  public:
    TextBuffer& text(std::string_view part) {
        for (char c : part) put(c);
        return *this;
    }
    TextBuffer& number(std::uint64_t value) {
        char digits[20];
        std::size_t n = 0;
        do {
            digits[n++] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value != 0);
        while (n > 0) put(digits[--n]);
        return *this;
    }
    TextBuffer& hex(std::uint64_t value, unsigned width = 1) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        unsigned n = 16;
        while (n > width && value >> (4 * (n - 1)) == 0) --n;
        for (; n > 0; --n) put(kDigits[(value >> (4 * (n - 1))) & 15]);
        return *this;
    }
    std::string_view view() const { return {buffer_.data(), size_}; }
    bool cut() const { return cut_; }
    void clear() {
        size_ = 0;
        cut_ = false;
    }

  private:
    void put(char c) {
        if (size_ == N) {
            cut_ = true;
            return;
        }
        buffer_[size_++] = c;
    }
    std::array<char, N> buffer_{};
    std::size_t size_ = 0;
    bool cut_ = false;
};

}  // namespace unibpf
