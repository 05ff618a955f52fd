#include "guest/click/driver.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "guest/click/complaints.hpp"
#include "guest/click/driver_elements.hpp"
#include "guest/click/script.hpp"
#include "guest/control/control_element.hpp"
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
constexpr int most_signals = 32;
volatile std::sig_atomic_t signals_got[most_signals] = {};  // for scripts

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
    registry_.add(control_element_class);
    for (const auto& [name, value] : options_.defines) bindings_.push_back({name, value});
    environment_.pool = &PacketPool::system();
    environment_.slots = &slots_;
    environment_.print = print;
    environment_.run = this;
    environment_.defines = bindings_;
    now_ns_ = options_.simulated ? static_cast<std::uint64_t>(options_.simulated_start * 1e9) : read_clock();
    if (!options_.nics.empty()) options_.simulated = true;
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { interrupted = 1; });
    std::signal(SIGPIPE, SIG_IGN);
}

bool Driver::open_nics() {
    if (options_.nics.size() > nics_.size()) return std::fputs("click: too many NICs\n", stderr), false;
    std::uint64_t first = TimerQueue::never;
    for (std::size_t i = 0; i < options_.nics.size(); ++i) {
        nics_[i].set_index(static_cast<std::uint8_t>(i));
        nics_[i].set_clock(&now_ns_);
        if (const std::string fault = nics_[i].open(options_.nics[i]); !fault.empty()) {
            std::fprintf(stderr, "click: NIC '%s': %s\n", options_.nics[i].c_str(), fault.c_str());
            return false;
        }
        nic_pointers_[i] = &nics_[i];
        if (!nics_[i].at_end()) first = std::min(first, nics_[i].next_ns());
    }
    // The files' times are the run's.
    if (first != TimerQueue::never && options_.simulated) now_ns_ = first > 0 ? first - 1 : 0;
    environment_.nics = {nic_pointers_.data(), options_.nics.size()};
    return true;
}

std::uint64_t Driver::next_arrival() const {
    std::uint64_t next = TimerQueue::never;
    for (std::size_t i = 0; i < options_.nics.size(); ++i)
        if (!nics_[i].at_end()) next = std::min(next, nics_[i].next_ns());
    return next;
}

// Nothing arrives any more, and the graph is at rest, or goes on for itself alone.
bool Driver::wire_is_done() const {
    constexpr std::uint64_t rest_ns = 60 * second_ns, own_life_ns = 3600 * second_ns;
    if (options_.nics.empty() || next_arrival() != TimerQueue::never) return false;
    return now_ns_ - busy_ns_ > rest_ns || now_ns_ - arrived_ns_ > own_life_ns;
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

void Driver::catch_signal(int number) {
    if (number < most_signals) std::signal(number, [](int got) { signals_got[got] = signals_got[got] + 1; });
}

void Driver::handle_signals() {
    for (int number = 0; number < most_signals; ++number) {
        if (signals_got[number] == 0) continue;
        signals_got[number] = 0;
        for (Script* script : scripts_) script->signalled(number);
    }
}

// Nothing was to be done in this round: on to the next moment at which something may be.
void Driver::wait() {
    const std::uint64_t next = router_->timers().next_ns();
    const std::uint64_t step = options_.simulated ? std::max(poll_ns, (now_ns_ - busy_ns_) / 64) : poll_ns;
    const std::uint64_t poll = router_->has_tasks() ? now_ns_ + step : TimerQueue::never;
    const std::uint64_t arrival = next_arrival();
    const std::uint64_t until = std::min({next, poll, arrival, options_.simulated ? TimerQueue::never : now_ns_ + longest_wait_ns});
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
    busy_ns_ = now_ns_;
    while (interrupted == 0) {
        handle_signals();
        if (run_count_ <= 0 && !goes_on()) break;
        now_ns_ = options_.simulated ? now_ns_ + 1 : read_clock();
        if (next_arrival() != TimerQueue::never) arrived_ns_ = now_ns_;
        if (router_->run_once(now_ns_)) busy_ns_ = now_ns_;
        else if (run_count_ > 0) wait();
        if (wire_is_done()) break;
    }
}

}  // namespace unibpf::click
