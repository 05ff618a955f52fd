// Isolation of a process, as far as this host's CPU goes. What isolation does is shown in VMs (tests/system/isolation/test_isolation.py).
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

TEST_CASE("a slot can be isolated where the CPU has protection keys, and elsewhere the refusal names them") {
    ProgramSlot slot{{.element = "fw", .program = "test"}};
    const Status status = slot.isolate();
    CHECK(status.ok() == cpu_has_keys());
    CHECK(slot.isolated() == cpu_has_keys());
    CHECK(IsolatedRuns::any() == cpu_has_keys());
    if (status.ok()) return;
    CHECK(std::string{status.error().rule} == "isolation");
    CHECK(std::string{status.error().text} == "a CPU with protection keys (PKU)");
}

TEST_CASE("a block whose pages cannot have their key is not given, and nothing of it stays taken") {
    const bool can = platform::isolation_enable().empty();
    Heap& heap = Heap::system();
    const std::size_t used = heap.used();
    {
        const Heap::OnPages pages{platform::PageKey::first_program};
        void* block = heap.allocate(100);
        CHECK((block != nullptr) == can);
        heap.release(block);
    }
    CHECK(heap.used() == used);
    void* plain = heap.allocate(100);
    CHECK(plain != nullptr);
    heap.release(plain);
}

TEST_CASE("isolation is none or pku") {
    CHECK(parse_isolation("auto").value() == IsolationOption::automatic);
    CHECK(parse_isolation("none").value() == IsolationOption::none);
    CHECK(parse_isolation("pku").value() == IsolationOption::pku);
    CHECK_FALSE(parse_isolation("PKU").ok());
}
