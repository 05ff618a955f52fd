// docs/elements.md is made from the registry: its tables and the guest cannot disagree.
// UNIBPF_WRITE_DOCS=1 makes this test write the page instead of comparing it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "guest/control/control_element.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/sections.hpp"

namespace unibpf::test {
namespace {

constexpr const char* kPage = SOURCE_ROOT "/docs/elements.md";

constexpr const char* kIntroduction = R"(# Elements

What a graph may be made of. The page is made from the guest's own tables (`tests/unit/guest/elements/test_elements_page.cpp`);
the manual of each element, with an example, stands above its class in `guest/elements/`.

Ports: inputs/outputs, `1-2` one to two, `1-` one or more, `-` any number. Processing: `h` push, `l` pull, `a` agnostic (as its
neighbours are, push by default), the last letter of a side for its further ports. Between `h` and `l` belongs a `Queue`, the
other way round an `Unqueue`; packets may run neither in a circle nor through more than 48 elements
without a `Queue`. Where outputs are marked *sparse*, some may be left free. Handlers in *italics* are written.

The language is that of click(5), but for overloaded compounds (`||`), `__REST__` and `connectiontunnel`, which are refused.

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

std::string element_row(const ElementClass& row) {
    return "| `" + std::string{row.name} + "` | " + code(row.arguments) + " | `" + std::string{row.ports} + "`" +
           (row.sparse_outputs ? " sparse" : "") + " | `" + std::string{row.processing} + "` | " + std::string{row.summary} + " | " +
           handlers(row) + " |\n";
}

std::string page() {
    std::string text = kIntroduction;
    text += "| element | arguments | ports | processing | what it does | handlers |\n|---|---|---|---|---|---|\n";
    for (const ElementClass* row : standard_elements()) text += element_row(*row);
    text += element_row(control_element_class);
    text += "\n## Drop reasons\n\nEvery packet that goes no further is counted at its element under one of these names.\n\n";
    text += "| reason | the packet |\n|---|---|\n";
    for (const DropReasonInfo& reason : kDropReasons)
        text += "| `" + std::string{reason.name} + "` | " + std::string{reason.meaning} + " |\n";
    return text;
}

}  // namespace

TEST_CASE("the page of elements is what the registry says") {
    if (std::getenv("UNIBPF_WRITE_DOCS")) std::ofstream{kPage} << page();
    CHECK(read_file(kPage) == page());
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
            CHECK(static_cast<bool>(handler.read || handler.write));
        }
    }
}

}  // namespace unibpf::test
