// Timers: an element is called at a time it asked for, between two rounds of tasks. A binary heap of pointers to timers that
// live in their elements; its room is made while the router is built, so that nothing is allocated on the data path.
#pragma once

#include <cstddef>
#include <cstdint>

#include "guest/core/heap.hpp"

namespace unibpf {

class Element;
class Router;
class TimerQueue;

// A member of its element, registered in the element's `initialize`.
class Timer {
  public:
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    bool scheduled() const { return at_ != 0; }
    std::uint64_t expiry_ns() const { return expiry_ns_; }
    Element* owner() const { return owner_; }
    // In place of what was asked for before. Times are the router's (Router::now). Does nothing before `add`.
    void schedule_at(std::uint64_t ns);
    void cancel();

  private:
    friend class TimerQueue;
    TimerQueue* queue_ = nullptr;
    Element* owner_ = nullptr;
    std::uint64_t expiry_ns_ = 0;
    std::uint64_t order_ = 0;  // timers of one time run in the order in which they were asked for
    std::size_t at_ = 0;       // its place in the heap, from 1
};

class TimerQueue {
  public:
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    // Boot and control work only. False: no memory.
    bool add(Timer& timer, Element& owner);
    std::uint64_t next_ns() const { return size_ == 0 ? never : timers_[0]->expiry_ns_; }
    // Calls the owners of the timers whose time has come, each at most once. Returns whether there were any.
    bool run(std::uint64_t now_ns);

  private:
    friend class Timer;
    void insert(Timer& timer);
    void remove(Timer& timer);
    void place(std::size_t at, Timer* timer);
    void rise(std::size_t at, Timer* timer);
    void sink(std::size_t at, Timer* timer);
    static bool before(const Timer& a, const Timer& b);

    OwnedArray<Timer*> timers_;  // room for every timer that was added; `size_` of them wait
    std::size_t size_ = 0;
    std::size_t added_ = 0;
    std::uint64_t orders_ = 0;
};

}  // namespace unibpf
