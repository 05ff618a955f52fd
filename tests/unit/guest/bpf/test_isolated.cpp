// Isolation where there is none: a process guest says so. What isolation does is shown in a VM (tests/system/test_isolation.py).
#include <doctest/doctest.h>

#include <cpuid.h>
#include <string>

#include "guest/bpf/isolated.hpp"
#include "guest/bpf/slot.hpp"

using namespace unibpf;

namespace {

bool cpu_has_keys() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & 1u << 4) != 0;
}

}  // namespace

TEST_CASE("a slot of a process guest cannot be isolated, and the refusal names what is missing") {
    ProgramSlot slot{{.element = "fw", .program = "test"}};
    const Status status = slot.isolate();
    REQUIRE_FALSE(status.ok());
    CHECK(std::string{status.error().rule} == "isolation");
    const std::string expected = cpu_has_keys() ? "a guest that is a virtual machine, not a process" : "a CPU with protection keys (PKU)";
    CHECK(std::string{status.error().text} == expected);
    CHECK_FALSE(slot.isolated());
    CHECK_FALSE(IsolatedRuns::any());
}

TEST_CASE("blocks that cannot have their key are not given, and nothing of them stays taken") {
    Heap& heap = Heap::system();
    const std::size_t used = heap.used();
    {
        const Heap::OnPages pages{platform::PageKey::first_program};
        CHECK(heap.allocate(100) == nullptr);
    }
    CHECK(heap.used() == used);
    void* plain = heap.allocate(100);
    CHECK(plain != nullptr);
    heap.release(plain);
}

TEST_CASE("isolation is none or pku") {
    CHECK(parse_isolation("none").value() == IsolationOption::none);
    CHECK(parse_isolation("pku").value() == IsolationOption::pku);
    CHECK_FALSE(parse_isolation("PKU").ok());
}
