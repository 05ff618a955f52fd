// The control slice's timer: a POSIX timer that signals this thread. The kernel saves all registers in the signal frame on the
// control stack, below the red zone, so the handler may switch stacks and return much later.
//
// A signal can come before the control side is ready for it and is then ignored, so the timer repeats until it is disarmed.
// SA_NODEFER: the handler switches away without returning, and the signal must not stay blocked on the main stack.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/platform/platform.hpp"
#include "guest/platform/slice.hpp"

namespace unibpf::platform {
namespace {

timer_t timer;
bool have_timer = false;
std::atomic<bool> allowed{false};

void on_signal(int) {
    const int saved = errno;
    if (allowed.exchange(false, std::memory_order_relaxed)) {
        slice_expired();
        allowed.store(true, std::memory_order_relaxed);
    }
    errno = saved;
}

void create_timer() {
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_NODEFER | SA_RESTART;
    sigaction(SIGRTMIN, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) panic("linux: timer_create failed");
    have_timer = true;
}

void set(std::uint64_t first_ns, std::uint64_t every_ns) {
    const auto spec = [](std::uint64_t ns) { return timespec{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)}; };
    const itimerspec value{spec(every_ns), spec(first_ns)};
    timer_settime(timer, 0, &value, nullptr);
}

}  // namespace

void slice_timer_arm(std::uint64_t ns) {
    if (!have_timer) create_timer();
    set(ns == 0 ? 1 : ns, 100'000);
}
void slice_timer_disarm() { set(0, 0); }
void slice_interrupts(bool on) { allowed.store(on, std::memory_order_relaxed); }

}  // namespace unibpf::platform
