#include "guest/graph/source.hpp"

#include <algorithm>

namespace unibpf {

Source::Source(std::string_view text, Arena& arena) : text_{text} {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    line_starts_ = arena.array<std::uint32_t>(lines);
    if (line_starts_.empty()) return;
    std::size_t line = 1;
    for (std::size_t i = 0; i < text.size() && line < lines; ++i)
        if (text[i] == '\n') line_starts_[line++] = static_cast<std::uint32_t>(i + 1);
}

Place Source::place(const char* at) const {
    const auto offset = static_cast<std::uint32_t>(at - text_.data());
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    if (after == line_starts_.begin()) return {};  // no memory for the table
    const auto line = static_cast<std::uint32_t>(after - line_starts_.begin());
    return {line, offset - line_starts_[line - 1] + 1};
}

}  // namespace unibpf
