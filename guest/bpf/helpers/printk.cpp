#include "guest/bpf/helpers/printk.hpp"

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/helpers/text_format.hpp"
#include "guest/core/format.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

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

}  // namespace

long printk(std::string_view format, std::span<const std::uint64_t> values, const Machine& machine) {
    if (format.empty() || format.back() != '\0') return -abi::einval;
    char room[printk_line_bytes];
    FormattedText line{room};
    if (!format_text(line, format.substr(0, format.find('\0')), values, machine)) return -abi::einval;
    const long length = static_cast<long>(line.view().size());
    if (!limit.allow(platform::monotonic_ns())) return length;
    std::string_view body = line.view();
    if (body.ends_with('\n')) body.remove_suffix(1);
    TextBuffer<4 * printk_line_bytes + 64> output;
    output.text("bpf: ").visible(body);
    if (limit.suppressed != 0) output.text(" (").number(limit.suppressed).text(" lines suppressed)");
    limit.suppressed = 0;
    output.text("\n");
    platform::console_write(output.view());
    return length;
}

}  // namespace unibpf
