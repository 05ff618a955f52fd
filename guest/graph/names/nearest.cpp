#include "guest/graph/names/nearest.hpp"

#include <algorithm>
#include <array>

#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

constexpr std::size_t longest = 40;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Levenshtein's distance, letters of either case alike.
std::size_t distance(std::string_view a, std::string_view b) {
    std::array<std::size_t, longest + 1> row;
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view name, const Registry& registry) {
    if (name.size() > longest) return {};
    std::string_view best;
    std::size_t least = name.size() / 3 + 1;  // farther than that is another word
    for (const ElementClass* row : registry.classes()) {
        if (row->name.size() > longest) continue;
        if (const std::size_t now = distance(name, row->name); now < least) least = now, best = row->name;
    }
    return best;
}

}  // namespace unibpf
