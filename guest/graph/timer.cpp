#include "guest/graph/timer.hpp"

#include <algorithm>
#include <utility>

#include "guest/graph/element.hpp"

namespace unibpf {

void Timer::schedule_at(std::uint64_t ns) {
    if (!queue_) return;
    cancel();
    expiry_ns_ = ns;
    queue_->insert(*this);
}

void Timer::cancel() {
    if (scheduled()) queue_->remove(*this);
}

bool TimerQueue::add(Timer& timer, Element& owner) {
    if (added_ == timers_.size()) {
        auto more = make_array<Timer*>(2 * added_ + 4);
        if (!more) return false;
        std::copy_n(timers_.begin(), size_, more.begin());
        timers_ = std::move(more);
    }
    ++added_;
    timer.queue_ = this;
    timer.owner_ = &owner;
    return true;
}

bool TimerQueue::before(const Timer& a, const Timer& b) {
    return a.expiry_ns_ != b.expiry_ns_ ? a.expiry_ns_ < b.expiry_ns_ : a.order_ < b.order_;
}

void TimerQueue::place(std::size_t at, Timer* timer) {
    timers_[at] = timer;
    timer->at_ = at + 1;
}

void TimerQueue::rise(std::size_t at, Timer* timer) {
    for (; at > 0 && before(*timer, *timers_[(at - 1) / 2]); at = (at - 1) / 2) place(at, timers_[(at - 1) / 2]);
    place(at, timer);
}

void TimerQueue::sink(std::size_t at, Timer* timer) {
    for (std::size_t child = 2 * at + 1; child < size_; child = 2 * at + 1) {
        if (child + 1 < size_ && before(*timers_[child + 1], *timers_[child])) ++child;
        if (!before(*timers_[child], *timer)) break;
        place(at, timers_[child]);
        at = child;
    }
    place(at, timer);
}

void TimerQueue::insert(Timer& timer) {
    timer.order_ = ++orders_;
    rise(size_++, &timer);
}

void TimerQueue::remove(Timer& timer) {
    const std::size_t at = std::exchange(timer.at_, 0) - 1;
    Timer* last = timers_[--size_];
    if (last == &timer) return;
    if (at > 0 && before(*last, *timers_[(at - 1) / 2])) rise(at, last);
    else sink(at, last);
}

// What a timer's owner asks for meanwhile waits for the next call, also where its time has come.
bool TimerQueue::run(std::uint64_t now_ns) {
    const std::uint64_t last_order = orders_;
    bool ran = false;
    while (size_ > 0 && timers_[0]->expiry_ns_ <= now_ns && timers_[0]->order_ <= last_order) {
        Timer* timer = timers_[0];
        remove(*timer);
        timer->owner_->run_timer(*timer);
        ran = true;
    }
    return ran;
}

}  // namespace unibpf
