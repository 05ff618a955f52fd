#include <doctest/doctest.h>

#include <vector>

#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf::test {
namespace {

class Bell : public Element {
  public:
    explicit Bell(std::vector<int>& rung) : rung_{rung} {
        for (Timer& timer : timers) REQUIRE(queue.add(timer, *this));
    }
    void run_timer(Timer& timer) override {
        rung_.push_back(static_cast<int>(&timer - timers));
        if (again_ns != 0) timer.schedule_at(again_ns);
    }

    TimerQueue queue;
    Timer timers[20];
    std::uint64_t again_ns = 0;

  private:
    std::vector<int>& rung_;
};

}  // namespace

TEST_CASE("timers run in the order of their times, and of one time in that of their asking") {
    std::vector<int> rung;
    Bell bell{rung};
    for (const int i : {7, 3, 11, 0, 19, 4}) bell.timers[i].schedule_at(static_cast<std::uint64_t>(100 + i));
    bell.timers[5].schedule_at(103);
    CHECK(bell.queue.next_ns() == 100);
    CHECK(!bell.queue.run(99));
    CHECK(bell.queue.run(107));
    CHECK(rung == std::vector{0, 3, 5, 4, 7});
    CHECK(bell.queue.next_ns() == 111);
    CHECK(bell.queue.run(1000));
    CHECK(bell.queue.next_ns() == TimerQueue::never);
    CHECK(!bell.queue.run(2000));
}

TEST_CASE("a timer that was asked for again has its new time alone, one that was cancelled none") {
    std::vector<int> rung;
    Bell bell{rung};
    for (int i = 0; i < 20; ++i) bell.timers[i].schedule_at(static_cast<std::uint64_t>(i + 1));
    for (int i = 0; i < 20; i += 2) bell.timers[i].cancel();
    bell.timers[1].schedule_at(50);
    bell.timers[2].cancel();
    CHECK(!bell.timers[4].scheduled());
    bell.queue.run(50);
    CHECK(rung == std::vector{3, 5, 7, 9, 11, 13, 15, 17, 19, 1});
}

TEST_CASE("a timer that asks for a time that has come runs in the next round") {
    std::vector<int> rung;
    Bell bell{rung};
    bell.again_ns = 5;
    bell.timers[0].schedule_at(5);
    CHECK(bell.queue.run(10));
    CHECK(rung.size() == 1);
    CHECK(bell.queue.run(10));
    CHECK(rung.size() == 2);
}

}  // namespace unibpf::test
