// bpf_trace_printk and bpf_trace_vprintk: a program's line on the guest's console.
//
// Programs run per packet and the console is slow, so at most `printk_lines_per_second` lines appear; the rest are counted and the
// count is shown with the next line. A program cannot tell: the return value is the same.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf {

struct Machine;

inline constexpr std::uint64_t printk_lines_per_second = 20;
inline constexpr std::size_t printk_line_bytes = 256;  // longer ones are cut

// `format` ends with a NUL byte (text_format.hpp says what it may hold). Returns the number of characters of the text, or -EINVAL.
long printk(std::string_view format, std::span<const std::uint64_t> values, const Machine& machine);

}  // namespace unibpf
