#include "guest/bpf/printk.hpp"

#include "guest/bpf/abi.hpp"
#include "guest/core/format.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

using Line = TextBuffer<256>;

// One second's worth of lines, refilled when a second has passed.
struct RateLimit {
    std::uint64_t window_start_ns = 0;
    std::uint64_t lines = 0;
    std::uint64_t suppressed = 0;

    bool allow(std::uint64_t now_ns) {
        if (now_ns - window_start_ns >= 1'000'000'000) {
            window_start_ns = now_ns;
            lines = 0;
        }
        if (lines < printk_lines_per_second) {
            ++lines;
            return true;
        }
        ++suppressed;
        return false;
    }
};
UNIBPF_PROGRAM_STATE RateLimit limit;

void append_signed(Line& line, std::uint64_t value) {
    const bool negative = static_cast<std::int64_t>(value) < 0;
    if (negative) line.text("-");
    line.number(negative ? 0 - value : value);
}

// One conversion character; false when it is none of ours.
bool append_value(Line& line, char conversion, bool is_long, std::uint64_t value) {
    const std::uint64_t plain = is_long ? value : static_cast<std::uint32_t>(value);
    const char character = static_cast<char>(value);
    switch (conversion) {
        case 'd':
        case 'i': append_signed(line, is_long ? value : static_cast<std::uint64_t>(static_cast<std::int32_t>(value))); return true;
        case 'u': line.number(plain); return true;
        case 'x':
        case 'X': line.hex(plain); return true;
        case 'p': line.hex(value, 16); return true;
        case 'c': line.text({&character, 1}); return true;
        default: return false;
    }
}

// The conversion behind a '%' at `at`; moves `at` to its last character.
bool append_conversion(Line& line, std::string_view format, std::size_t& at, std::uint64_t value) {
    unsigned longs = 0;
    while (++at < format.size()) {
        if (format[at] == 'l') { ++longs; continue; }
        if (format[at] >= '0' && format[at] <= '9') continue;
        return append_value(line, format[at], longs > 0, value);
    }
    return false;
}

}  // namespace

long printk(std::string_view format, std::array<std::uint64_t, 3> values) {
    if (format.empty() || format.back() != '\0') return -abi::einval;
    format = format.substr(0, format.find('\0'));
    Line line;
    std::size_t used = 0;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%') {
            line.text(format.substr(at, 1));
        } else if (at + 1 < format.size() && format[at + 1] == '%') {
            line.text("%");
            ++at;
        } else if (used == values.size() || !append_conversion(line, format, at, values[used++])) {
            return -abi::einval;
        }
    }
    const long length = static_cast<long>(line.view().size());
    if (!limit.allow(platform::monotonic_ns())) return length;
    Line output;
    output.text("bpf: ").text(line.view());
    if (limit.suppressed != 0) output.text(" (").number(limit.suppressed).text(" lines suppressed)");
    limit.suppressed = 0;
    platform::console_write(output.view());
    if (line.view().empty() || line.view().back() != '\n') platform::console_write("\n");
    return length;
}

}  // namespace unibpf
