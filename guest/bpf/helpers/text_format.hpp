// Text that programs make: the conversions of bpf_trace_printk, bpf_trace_vprintk and bpf_snprintf (bpf-helpers(7)).
//
//     % [-+ 0]* WIDTH? ( d i u x X | l.. | ll.. | c | s | p | px pK ps pS pB | pi4 pI4 pi6 pI6 | pks pus | % )
// Every pointer is printed as its number. What %s and the addresses of %pI4 and the like point to is read only where the program
// may read itself; elsewhere there is an empty string or zeroes, as in Linux when reading fails.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf {

struct Machine;

// Text into a buffer: what does not fit is counted and left out.
class FormattedText {
  public:
    explicit FormattedText(std::span<char> room) : room_{room} {}
    void put(char c) {
        if (length_ < room_.size()) room_[length_] = c;
        ++length_;
    }
    void put(std::string_view text) {
        for (const char c : text) put(c);
    }
    std::size_t length() const { return length_; }  // also of what was left out
    std::string_view view() const { return {room_.data(), length_ < room_.size() ? length_ : room_.size()}; }

  private:
    std::span<char> room_;
    std::size_t length_ = 0;
};

// False when a conversion is none of the above, values are too few, or the format has characters that cannot be printed.
bool format_text(FormattedText& out, std::string_view format, std::span<const std::uint64_t> values, const Machine& machine);

}  // namespace unibpf
