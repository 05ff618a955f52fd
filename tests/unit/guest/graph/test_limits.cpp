// A graph is foreign bytes: what is too large, too many or too much is refused by name, in little time and with no memory
// left behind.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"

namespace unibpf::test {
namespace {

const Registry& all_elements() {
    static Registry registry;
    if (registry.classes().empty()) registry.add(standard_elements());
    return registry;
}

// The first error, or "".
std::string first_error(std::string_view text) {
    Environment environment;
    Errors errors;
    const Owned<Router> router = Router::create(text, all_elements(), environment, errors);
    CHECK(static_cast<bool>(router) == errors.empty());
    return errors.empty() ? "" : std::string{errors[0].text()};
}

std::string repeat(std::string_view text, std::size_t times) {
    std::string all;
    for (; times > 0; --times) all += text;
    return all;
}

}  // namespace

TEST_CASE("a graph of 64 KiB is read, a longer one is refused before it is read") {
    const std::string full(max_graph_text, ' ');
    CHECK(first_error(full) == "");
    CHECK(first_error(full + "?") == "got a graph of 65537 bytes, expected at most 65536");
}

TEST_CASE("1024 elements are enough") {
    CHECK(first_error(repeat("Idle;", 1024)) == "");
    CHECK(first_error(repeat("Idle;", 1025)) == "more than 1024 elements");
}

TEST_CASE("small compounds cannot grow into a large graph") {
    std::string text = "elementclass C0 { Idle; Idle }";
    for (int level = 1; level < 12; ++level) {
        const std::string below = "C" + std::to_string(level - 1);
        text += "elementclass C" + std::to_string(level) + " { a :: " + below + "; b :: " + below + " }";
    }
    CHECK(first_error(text + "C11;") == "more than 1024 elements");
}

TEST_CASE("variables cannot grow into a large text") {
    std::string text = "define($a0 0123456789012345);";
    for (int i = 1; i < 30; ++i) {
        const std::string before = "$a" + std::to_string(i - 1);
        text += "define($a" + std::to_string(i) + " " + before + before + ");";
    }
    CHECK(first_error(text + "Print($a29);") == "variables expand to more than 65536 bytes");
}

TEST_CASE("connections through compounds cannot multiply without end") {
    // Each W joins every way in with every way out: 16 ways each time.
    std::string text = "elementclass W { " + repeat("input -> output;", 16) + " }";
    text += "Idle -> W -> W -> W -> W -> W -> Idle;";
    CHECK(first_error(text) == "the connections of compounds run in a circle, or are too many");
    CHECK(first_error("i :: Idle;" + repeat("i -> i;", 5000)) == "more than 4096 connections");
}

TEST_CASE("faults beyond the kept ones are counted") {
    Registry registry;
    Environment environment;
    Errors errors;
    CHECK(!Router::create(repeat("Foo();\n", 100), registry, environment, errors));
    CHECK(errors.kept() == Errors::most_kept);
    CHECK(errors.count() >= 100);
    CHECK(errors[Errors::most_kept - 1].place.line == Errors::most_kept);
}

TEST_CASE("an error's text is cut, not overrun") {
    const std::string text = first_error("Idle -> Print(MAXLENGTH " + std::string(5000, 'x') + ") -> Idle;");
    CHECK(text.size() == Errors::text_size);
}

TEST_CASE("a router gives its memory back, whether it was built or refused") {
    all_elements();
    const std::size_t before = Heap::system().used();
    const std::string graph = "elementclass A { $n | input -> Queue($n) -> output } Idle -> A(3) -> Unqueue -> Print('a b') -> Discard;";
    CHECK(first_error(graph) == "");
    CHECK(first_error(graph + "Foo;") != "");
    CHECK(first_error(graph + "Queue(0) -> Idle;") != "");
    CHECK(Heap::system().used() == before);
}

TEST_CASE("a router that finds no memory says so") {
    all_elements();
    // All but a few KiB of the heap is taken, in ever smaller pieces.
    std::vector<void*> taken;
    for (std::size_t size = 1 << 20; size >= 8192; size /= 2)
        while (void* block = Heap::system().allocate(size)) taken.push_back(block);
    const std::string error = first_error(repeat("Idle;", 900));
    for (void* block : taken) Heap::system().release(block);
    CHECK(error.starts_with("no memory for "));
}

}  // namespace unibpf::test
