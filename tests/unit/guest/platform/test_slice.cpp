#include <doctest/doctest.h>

#include <atomic>

#include "guest/platform/platform.hpp"

using namespace unibpf::platform;

namespace {

alignas(16) std::byte stack[65536];
std::atomic<std::uint64_t> steps{0};

void count_forever(void*) {
    for (;;) steps.fetch_add(1, std::memory_order_relaxed);
}

struct Floats {
    double sum = 0;
};

// Keeps values in vector registers across preemptions.
void sum_floats(void* argument) {
    double a = 0, b = 1, c = 2, d = 3;
    for (int i = 0; i < 30'000'000; ++i) {
        a += 1;
        b += 1;
        c += 1;
        d += 1;
    }
    static_cast<Floats*>(argument)->sum = a + b + c + d;
}

}  // namespace

TEST_CASE("a task that never yields is preempted at the end of its slice and goes on at the next") {
    control_start(count_forever, nullptr, stack);
    int slices_with_steps = 0;  // on a busy host a slice can be over before the task gets the CPU
    for (int i = 0; i < 50; ++i) {
        const std::uint64_t before = steps;
        REQUIRE(control_resume(200'000) == SliceEnd::preempted);
        slices_with_steps += steps > before;
    }
    CHECK(slices_with_steps > 10);
    CHECK_FALSE(on_control_stack());
}

TEST_CASE("registers survive preemption") {
    Floats floats;
    control_start(sum_floats, &floats, stack);
    int slices = 1;
    double noise = 1.5;
    while (control_resume(100'000) != SliceEnd::finished) {
        noise *= 1.0000001;  // the main stack uses the same registers in between
        ++slices;
    }
    CHECK(noise > 1);
    CHECK(slices > 3);
    CHECK(floats.sum == 4 * 30'000'000.0 + 6);
}

TEST_CASE("a task that yields says so, and one that returns is finished") {
    control_start([](void*) { control_yield(); }, nullptr, stack);
    CHECK(control_resume(1'000'000'000) == SliceEnd::yielded);
    CHECK(control_resume(1'000'000'000) == SliceEnd::finished);
    CHECK(control_resume(1'000'000'000) == SliceEnd::finished);
}

TEST_CASE("nothing comes between the steps of a NoPreempt section") {
    static bool inside = false;
    control_start(
        [](void*) {
            for (int i = 0; i < 20; ++i) {
                const NoPreempt whole;
                const NoPreempt nested;
                inside = true;
                const std::uint64_t until = monotonic_ns() + 2'000'000;  // ten slices long
                while (monotonic_ns() < until) {}
                inside = false;
            }
        },
        nullptr, stack);
    int preempted = 0;
    while (true) {
        const SliceEnd end = control_resume(200'000);
        REQUIRE_FALSE(inside);
        if (end == SliceEnd::finished) break;
        preempted += end == SliceEnd::preempted;
    }
    CHECK(preempted >= 10);  // each section gave the CPU back at its end
}

TEST_CASE("regions lie below 4 GiB and code pages are writable, then executable") {
    const auto region = alloc_region(10'000);
    REQUIRE(region.size() == 12'288);
    CHECK(reinterpret_cast<std::uintptr_t>(region.data() + region.size()) < 1ull << 32);
    const auto code = code_allocate(1);
    REQUIRE_FALSE(code.empty());
    constexpr std::size_t at = 64;  // a sanitizer looks at what stands before a function
    code[at] = std::byte{0xc3};     // ret
    REQUIRE(code_seal(code));
    reinterpret_cast<void (*)()>(code.data() + at)();
    code_release(code);
}

TEST_CASE("a task gets on with slices that are over before it has begun") {
    control_start(count_forever, nullptr, stack);
    const std::uint64_t before = steps;
    for (int i = 0; i < 1000 && steps == before; ++i) CHECK(control_resume(1) == SliceEnd::preempted);
    CHECK(steps > before);
}

TEST_CASE("code pages lie together near this program, apart from each other, and are found again when places have been used up") {
    constexpr std::size_t bytes = 128u << 20;
    const auto lasting = code_allocate(1);
    REQUIRE_FALSE(lasting.empty());
    for (int i = 0; i < 8; ++i) {
        const auto code = code_allocate(bytes);
        REQUIRE(code.size() == bytes);
        const auto distance = reinterpret_cast<std::intptr_t>(&count_forever) - reinterpret_cast<std::intptr_t>(code.data());
        CHECK(distance > 0);
        CHECK(distance < INT32_MAX);
        CHECK((code.data() >= lasting.data() + lasting.size() || code.data() + code.size() <= lasting.data()));
        code_release(code);
    }
    code_release(lasting);
}
