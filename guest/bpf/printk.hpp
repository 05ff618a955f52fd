// bpf_trace_printk: a program's line on the guest's console.
//
// Programs run per packet and the console is slow, so at most `lines_per_second` lines appear; the rest are counted and the
// count is shown with the next line. A program cannot tell: the return value is the same.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace unibpf {

inline constexpr std::uint64_t printk_lines_per_second = 20;

// Conversions: %d %i %u %x %X %p %c %% with the length modifiers l and ll (and field widths, which are ignored).
// `format` ends with a NUL byte. Returns the number of characters of the text, or -EINVAL.
long printk(std::string_view format, std::array<std::uint64_t, 3> values);

}  // namespace unibpf
