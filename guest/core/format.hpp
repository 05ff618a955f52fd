// Text into a fixed buffer: what does not fit is cut and `cut()` says so. No locale, no heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf {

class TextWriter {
  public:
    TextWriter& text(std::string_view part);
    // Foreign text: what is not printable ASCII, line ends and escapes among it, as \xNN.
    TextWriter& visible(std::string_view foreign);
    TextWriter& number(std::uint64_t value);                   // decimal
    TextWriter& hex(std::uint64_t value, unsigned width = 1);  // lower case, zeroes up to `width` digits
    std::string_view view() const { return {buffer_, size_}; }
    bool cut() const { return cut_; }
    void clear() {
        size_ = 0;
        cut_ = false;
    }

  protected:
    explicit TextWriter(std::span<char> buffer) : buffer_{buffer.data()}, capacity_{buffer.size()} {}

  private:
    void put(char c);

    char* buffer_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    bool cut_ = false;
};

template <std::size_t N>
class TextBuffer : public TextWriter {
  public:
    TextBuffer() : TextWriter{characters_} {}
    TextBuffer(const TextBuffer&) = delete;  // it would point into the other's characters
    TextBuffer& operator=(const TextBuffer&) = delete;

  private:
    char characters_[N];
};

}  // namespace unibpf
