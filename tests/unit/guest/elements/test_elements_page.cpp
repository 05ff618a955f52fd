// docs/elements.md is made from the registry: its tables and the guest cannot disagree.
// UNIBPF_WRITE_DOCS=1 makes this test write the page, and the lines of manuals that the rows say, instead of comparing them.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "guest/control/control_element.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/sections.hpp"

namespace unibpf::test {
namespace {

constexpr const char* elements_page = SOURCE_ROOT "/docs/elements.md";

constexpr const char* introduction = R"(# Elements

What a graph may be made of. The page is made from the guest's own tables (`tests/unit/guest/elements/test_elements_page.cpp`);
the manual of each element, with an example, stands above its class in `guest/elements/`.

Ports: inputs/outputs, `1-2` one to two, `1-` one or more, `-` any number. Processing: `h` push, `l` pull, `a` agnostic (as its
neighbours are, push by default), the last letter of a side for its further ports. Between `h` and `l` belongs a `Queue`, the
other way round an `Unqueue`; where packets could be pushed in a circle, a `Detour` stands in it of its own accord; no packet may run
through more than 48 elements without a `Queue` or a `Detour`. Where outputs are marked *sparse*, some may be left free. Handlers in *italics* are written.

The language is that of click(5), whole: compounds with overloads (`||`, `...`) and `__REST__`, lists of ports and elements, `=>`,
`connectiontunnel`, landmarks. A variable that nothing defines stays as it stands.

)";

std::string code(std::string_view text) { return text.empty() ? "" : "`" + std::string{text} + "`"; }

// A `|` would end a cell.
std::string handlers(const ElementClass& row) {
    std::string text;
    for (const Handler& handler : row.handlers) {
        text += text.empty() ? "" : ", ";
        text += handler.write ? "*" + std::string{handler.name} + "*" : std::string{handler.name};
    }
    return text;
}

std::string drops(const ElementClass& row) {
    std::string text;
    for (const DropReason reason : row.drops) text += (text.empty() ? "" : ", ") + std::string{drop_reason_name(reason)};
    return text;
}

std::string element_row(const ElementClass& row) {
    return "| `" + std::string{row.name} + "` | " + code(row.arguments) + " | `" + std::string{row.ports} + "`" +
           (row.sparse_outputs ? " sparse" : "") + " | `" + std::string{row.processing} + "` | " + std::string{row.summary} + " | " +
           handlers(row) + " | " + drops(row) + " |\n";
}

std::string page() {
    std::string text = introduction;
    text += "| element | arguments | ports | processing | what it does | handlers | drops |\n|---|---|---|---|---|---|---|\n";
    for (const ElementClass* row : standard_elements()) text += element_row(*row);
    text += element_row(control_element_class);
    text += "\n## Drop reasons\n\nEvery packet that goes no further is counted at its element under one of these names.\n\n";
    text += "| reason | the packet |\n|---|---|\n";
    for (const DropReasonInfo& reason : drop_reasons)
        text += "| `" + std::string{reason.name} + "` | " + std::string{reason.meaning} + " |\n";
    return text;
}

// --- the manual above each class, as the row says it ---

std::string count_words(std::string_view count) {
    if (count == "1") return "one";
    if (count == "1-2") return "one or two";
    if (count == "1-") return "one or more";
    if (count == "-") return "any number of";
    return std::string{count.substr(0, count.find('-'))} + " to " + std::string{count.substr(count.find('-') + 1)};
}

std::string side_words(std::string_view count, std::string_view code, const std::string& noun) {
    const auto kind = [](char c) { return std::string{c == 'h'   ? "push"
                                                      : c == 'l' ? "pull"
                                                                 : "agnostic"}; };
    const std::string nouns = count == "1" ? noun : noun + "s";
    if (code.size() == 1) return count_words(count) + " " + kind(code[0]) + " " + nouns;
    return count_words(count) + " " + nouns + " (" + kind(code[0]) + ", further ones " + kind(code[1]) + ")";
}

std::string ports_line(const ElementClass& row) {
    const auto half = [](std::string_view text, bool second) {
        const std::size_t slash = text.find('/');
        return second ? text.substr(slash + 1) : text.substr(0, slash);
    };
    std::string text;
    for (const bool output : {false, true}) {
        const std::string_view count = half(row.ports, output);
        if (count == "0") continue;
        text += (text.empty() ? "" : ", ") + side_words(count, half(row.processing, output), output ? "output" : "input");
    }
    if (text.empty()) return "";
    return "// Ports: " + text + (row.sparse_outputs ? ", some may be left free" : "") + ".\n";
}

std::string handlers_line(const ElementClass& row) {
    const auto mode = [](const Handler& handler) {
        return std::string{handler.read && handler.write   ? "read, write"
                           : handler.read || handler.query ? "read"
                                                           : "write"};
    };
    std::string text;
    for (std::size_t i = 0; i < row.handlers.size(); ++i) {
        text += (i == 0 ? "" : ", ") + std::string{row.handlers[i].name};
        const bool last = i + 1 == row.handlers.size();
        if (last || mode(row.handlers[i + 1]) != mode(row.handlers[i])) text += " (" + mode(row.handlers[i]) + ")";
    }
    return text.empty() ? "" : "// Handlers: " + text + ".\n";
}

std::string drops_line(const ElementClass& row) { return row.drops.empty() ? "" : "// Drops: " + drops(row) + ".\n"; }

// The comment above the class, from its title to its example.
std::string manual(const ElementClass& row, const std::string& headers) {
    const std::size_t begin = headers.find("// " + std::string{row.name} + " - ");
    const std::size_t end = headers.find("// Example: ", begin);
    return begin == std::string::npos || end == std::string::npos ? "" : headers.substr(begin, end - begin);
}

// The same manual with the lines that the row says.
std::string settled(const ElementClass& row, const std::string& text) {
    std::istringstream lines{text};
    std::string kept;
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("// Ports: ") && !line.starts_with("// Drops: ") && !line.starts_with("// Handlers: ")) kept += line + "\n";
    return kept + ports_line(row) + drops_line(row) + handlers_line(row);
}

void write_manuals() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SOURCE_ROOT "/guest/elements")) {
        if (entry.path().extension() != ".hpp") continue;
        const std::string before = read_file(entry.path());
        std::string after = before;
        for (const ElementClass* row : standard_elements())
            if (const std::string text = manual(*row, after); !text.empty()) after.replace(after.find(text), text.size(), settled(*row, text));
        if (after != before) std::ofstream{entry.path()} << after;
    }
}

std::string all_headers() {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SOURCE_ROOT "/guest/elements"))
        if (entry.path().extension() == ".hpp") text += read_file(entry.path());
    return text;
}

}  // namespace

TEST_CASE("each element's manual tells summary, ports, drops and handlers as its row does, and an example") {
    if (std::getenv("UNIBPF_WRITE_DOCS")) write_manuals();
    const std::string headers = all_headers();
    for (const ElementClass* row : standard_elements()) {
        const std::string text = manual(*row, headers);
        CAPTURE(text);
        CHECK(text.starts_with("// " + std::string{row->name} + " - " + std::string{row->summary} + "\n"));
        CHECK(text.ends_with(ports_line(*row) + drops_line(*row) + handlers_line(*row)));
    }
}

TEST_CASE("the page of elements is what the registry says") {
    if (std::getenv("UNIBPF_WRITE_DOCS")) std::ofstream{elements_page} << page();
    CHECK(read_file(elements_page) == page());
}

TEST_CASE("element classes and their handlers have different names") {
    Registry registry;
    registry.add(standard_elements());
    registry.add(control_element_class);
    for (const ElementClass* row : registry.classes()) {
        CAPTURE(std::string{row->name});
        CHECK(registry.find(row->name) == row);
        CHECK(!row->summary.empty());
        for (const Handler& handler : row->handlers) {
            CHECK(row->handler(handler.name) == &handler);
            CHECK(static_cast<bool>(handler.read || handler.write || handler.query));
        }
    }
}

}  // namespace unibpf::test
