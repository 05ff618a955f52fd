#include "guest/click/driver.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "guest/click/complaints.hpp"
#include "guest/click/elements/driver_elements.hpp"
#include "guest/click/script/script.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/elements/standard.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf::click {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t poll_ns = 200'000;        // elements with tasks look at the clock that often when they have nothing to do
constexpr std::uint64_t longest_wait_ns = 100'000'000;
constexpr std::size_t packet_slots = 32 * 1024;
constexpr std::size_t heap_bytes = 96u << 20;

Driver* driver = nullptr;
volatile std::sig_atomic_t interrupted = 0;

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

Driver& the_driver() { return *driver; }

Driver::Driver(DriverOptions options) : options_{std::move(options)} {
    driver = this;
    PacketPool::system(packet_slots);
    Heap::system(heap_bytes);
    Batch::burst = 1;
    registry_.add(driver_elements());  // before the guest's, some of which they replace
    registry_.add(standard_elements());
    for (const auto& [name, value] : options_.defines) bindings_.push_back({name, value});
    environment_.pool = &PacketPool::system();
    environment_.slots = &slots_;
    environment_.print = print;
    environment_.run = this;
    environment_.defines = bindings_;
    now_ns_ = options_.simulated ? static_cast<std::uint64_t>(options_.simulated_start * 1e9) : read_clock();
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { interrupted = 1; });
    std::signal(SIGPIPE, SIG_IGN);
}

bool Driver::build() {
    Errors errors;
    router_ = Router::create(options_.text, registry_, environment_, errors, now_ns_);
    if (router_) return true;
    std::fputs(complaints(errors, options_.text, options_.file).c_str(), stderr);
    std::fputs("Router could not be initialized!\n", stderr);
    return false;
}

void Driver::begin() {
    for (Script* script : scripts_) script->begin();
}

void Driver::stop(const Element&) { --run_count_; }
void Driver::stop_from_outside() { --run_count_; }

void Driver::complain(const Element* who, std::string_view text, bool counts) {
    faults_ += counts;
    std::fputs(complaint(who, text, options_.text, options_.file).c_str(), stderr);
}

std::uint64_t Driver::read_clock() const {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second_ns + static_cast<std::uint64_t>(now.tv_nsec);
}

// Nothing was to be done in this round: on to the next moment at which something may be.
void Driver::wait() {
    const std::uint64_t next = router_->timers().next_ns();
    const std::uint64_t poll = router_->has_tasks() ? now_ns_ + poll_ns : TimerQueue::never;
    const std::uint64_t until = std::min({next, poll, options_.simulated ? TimerQueue::never : now_ns_ + longest_wait_ns});
    if (options_.simulated) {
        if (until == TimerQueue::never) interrupted = 1;  // nothing can ever happen again
        else now_ns_ = std::max(now_ns_, until);
        return;
    }
    if (until <= now_ns_) return;
    const std::uint64_t rest = until - now_ns_;
    const timespec time{static_cast<time_t>(rest / second_ns), static_cast<long>(rest % second_ns)};
    nanosleep(&time, nullptr);
}

// As many stops as it takes have come: a script that manages the driver may have more to do.
bool Driver::goes_on() {
    for (Script* script : scripts_) {
        if (!script->manages_driver()) continue;
        run_count_ = 1;
        if (script->driver_stopped()) return true;
        return false;
    }
    return false;
}

void Driver::run() {
    while (interrupted == 0) {
        if (run_count_ <= 0 && !goes_on()) break;
        now_ns_ = options_.simulated ? now_ns_ + 1 : read_clock();
        if (!router_->run_once(now_ns_) && run_count_ > 0) wait();
    }
}

}  // namespace unibpf::click
