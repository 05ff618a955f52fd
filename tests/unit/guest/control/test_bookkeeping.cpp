// The small parts: timings, gaps, the frame queue, the table of rules.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "guest/control/frame_queue.hpp"
#include "guest/control/stranger_budget.hpp"
#include "guest/control/rules.hpp"
#include "guest/control/steps.hpp"
#include "guest/core/loop_stats.hpp"

using namespace unibpf;

namespace {

std::uint64_t clock_ns = 0;
std::uint64_t read_clock() { return clock_ns; }

}  // namespace

TEST_CASE("steps start at their origin and end where the next begins") {
    clock_ns = 1000;
    Steps steps{read_clock, 900};
    steps.begin("parse");
    clock_ns = 1010;
    steps.begin("signature");
    clock_ns = 1050;
    steps.end();
    steps.end();
    steps.add({"load", 500, 7});
    REQUIRE(steps.size() == 3);
    CHECK(steps[0].start_ns == 100);
    CHECK(steps[0].duration_ns == 10);
    CHECK(steps[1].start_ns == 110);
    CHECK(steps[1].duration_ns == 40);
    CHECK(steps[2].name == "load");
}

TEST_CASE("more steps than there is room for are left out") {
    Steps steps{read_clock, 0};
    for (int i = 0; i < 100; ++i) steps.begin("again");
    steps.end();
    CHECK(steps.size() == 16);
}

TEST_CASE("a gap is what lies between two rounds, and waiting is none") {
    LoopStats stats;
    stats.round_begins(100);
    stats.round_ended(150);
    stats.round_begins(350);  // a control slice of 200
    stats.round_ended(400);
    CHECK(stats.longest_ns() == 200);
    stats.mark(LoopStats::Window::update);
    stats.round_ended(9000);  // woke from waiting
    stats.round_begins(9010);
    CHECK(stats.longest_since_mark_ns(LoopStats::Window::update) == 10);
    CHECK(stats.longest_ns() == 200);
}

TEST_CASE("a frame queue gives frames back in order and refuses when full") {
    constexpr std::uint32_t capacity = 32;
    FrameQueue<capacity> queue;
    PacketPool& pool = PacketPool::system();
    const std::size_t before = pool.available();
    for (std::uint32_t round = 0; round < 3; ++round) {
        for (std::uint32_t i = 0; i < capacity; ++i) {
            PacketPtr packet = pool.acquire();
            packet->paint = static_cast<std::uint8_t>(i);
            REQUIRE(queue.push(packet));
            CHECK_FALSE(packet);
        }
        PacketPtr extra = pool.acquire();
        CHECK_FALSE(queue.push(extra));
        CHECK(extra);
        for (std::uint32_t i = 0; i < capacity; ++i) CHECK(queue.pop()->paint == i);
        CHECK(queue.empty());
        CHECK_FALSE(queue.pop());
    }
    CHECK(pool.available() == before);
}

TEST_CASE("strangers get a twentieth of the time while packets come, and all of it while none do") {
    StrangerBudget budget;
    budget.earn(1'000'000'000, true);
    REQUIRE(budget.allows());
    budget.spend(StrangerBudget::most_ns + 1'000);  // what has begun is finished
    CHECK_FALSE(budget.allows());
    budget.earn(1'000'020'000, true);
    CHECK_FALSE(budget.allows());
    budget.earn(1'000'020'020, true);
    CHECK(budget.allows());
    budget.spend(1'000'000);
    budget.earn(1'009'000'000, false);  // a short gap between packets is nobody's
    CHECK_FALSE(budget.allows());
    budget.earn(1'020'000'000, false);
    CHECK(budget.allows());
}

TEST_CASE("rounds shorter than the smallest share add up") {
    StrangerBudget budget;
    budget.earn(1'000'000'000, true);
    budget.spend(StrangerBudget::most_ns);
    for (std::uint64_t i = 1; i <= 30; ++i) budget.earn(1'000'000'000 + i, true);
    CHECK(budget.allows());
}

TEST_CASE("the budget of strangers does not grow without end") {
    StrangerBudget budget;
    budget.earn(3'600'000'000'000, false);
    budget.spend(StrangerBudget::most_ns);
    CHECK_FALSE(budget.allows());
}

TEST_CASE("every rule that the contract lists has a row, and no row has another") {
    std::ifstream file{std::string{SOURCE_ROOT} + "/schemas/control.cddl"};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const std::size_t start = text.find("; Rules, in the order of the checks:");
    REQUIRE(start != std::string::npos);
    const std::string list = text.substr(text.find('\n', start));
    std::set<std::string> known;
    for (const RuleRow& row : rule_table) {
        known.insert(std::string{row.rule});
        CAPTURE(row.rule);
        CHECK(list.find(" " + std::string{row.rule}) != std::string::npos);
    }
    std::string word;
    for (const char c : list + " ") {
        if ((c >= 'a' && c <= 'z') || c == '-') {
            word += c;
        } else {
            if (word.size() > 1 && word != "and") CHECK_MESSAGE(known.contains(word), word);
            word.clear();
        }
    }
}
