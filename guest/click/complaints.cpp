#include "guest/click/complaints.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace unibpf::click {
namespace {

// Backticks as the straight quotes that Click prints.
std::string quoted(std::string_view text) {
    std::string out{text};
    std::replace(out.begin(), out.end(), '`', '\'');
    return out;
}

// The sentence without the element that the line above it names.
std::string_view without_name(std::string_view sentence, std::string_view context) {
    const std::size_t begin = context.find('`') + 1;
    const std::string name = "`" + std::string{slice(context, begin, context.find(" :: ") - begin)} + "`: ";
    return sentence.starts_with(name) ? slice(sentence, name.size()) : sentence;
}

std::string indented(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out += "  " + std::string{slice(text, 0, end)} + "\n";
        text = slice(text, end + 1);
    }
    return out;
}

// `#line 3 "file"`, `# 3 "file"`: what the next line is.
bool parse_landmark(std::string_view line, std::uint32_t& number, std::string& file) {
    if (!line.starts_with('#')) return false;
    line.remove_prefix(1);
    if (line.starts_with("line")) line.remove_prefix(4);
    while (line.starts_with(' ')) line.remove_prefix(1);
    if (line.empty() || line[0] < '0' || line[0] > '9') return false;
    number = static_cast<std::uint32_t>(std::strtoul(std::string{line}.c_str(), nullptr, 10));
    const std::size_t open = line.find('"'), close = line.rfind('"');
    if (open != std::string_view::npos && close > open) file = slice(line, open + 1, close - open - 1);
    return true;
}

}  // namespace

std::string landmark(std::string_view text, std::string_view file, std::uint32_t line) {
    std::string name{file};
    std::uint32_t number = 1;
    for (std::uint32_t physical = 1; physical < line; ++physical) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (!parse_landmark(slice(text, 0, end), number, name)) ++number;
        text = slice(text, end + 1);
    }
    return name + ":" + std::to_string(number);
}

std::string complaints(const Errors& errors, std::string_view text, std::string_view file) {
    std::vector<const Errors::Entry*> sorted;
    for (std::size_t i = 0; i < errors.kept(); ++i) sorted.push_back(&errors[i]);
    std::string out;
    std::string_view before;
    for (const Errors::Entry* error : sorted) {
        const std::string_view context = error->context();
        const std::string where = landmark(text, file, error->context_place.line);
        if (context.empty()) {
            out += landmark(text, file, error->place.line) + ": " + quoted(error->text()) + "\n";
        } else {
            if (context != before) out += where + ": " + quoted(context) + ":\n";
            out += indented(quoted(without_name(error->text(), context)));
        }
        before = context;
    }
    if (errors.count() > errors.kept()) out += "and " + std::to_string(errors.count() - errors.kept()) + " more errors\n";
    return out;
}

std::string complaint(const Element* who, std::string_view what, std::string_view text, std::string_view file) {
    if (!who) return quoted(what) + "\n";
    return landmark(text, file, who->place().line) + ": While executing '" + std::string{who->name()} +
           " :: " + std::string{who->class_name()} + "':\n" + indented(quoted(what));
}

}  // namespace unibpf::click
