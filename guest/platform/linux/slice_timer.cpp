// The control slice's timer: a POSIX timer that signals this thread. The kernel saves all registers in the signal frame on the
// control stack, below the red zone, so the handler may switch stacks and return much later.
//
// A signal can come before the control side is ready for it; control then asks for another one, late enough that it gets on
// meanwhile. The timer never repeats by itself: on a slow machine signals would come faster than their handlers end, and each has
// its frame on the control stack.
// SA_NODEFER: the handler switches away without returning, and the signal must not stay blocked on the main stack.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/platform/linux/linux.hpp"
#include "guest/platform/slice.hpp"

namespace unibpf::platform {
namespace {

timer_t timer;
constexpr std::uint64_t another_ns = 1'000'000;
bool have_timer = false;
std::atomic<bool> allowed{false}, missed{false};

void set(std::uint64_t ns) {
    const itimerspec value{{}, {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)}};
    timer_settime(timer, 0, &value, nullptr);
}

void allow() {
    allowed.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (missed.exchange(false, std::memory_order_relaxed)) set(another_ns);
}

void on_signal(int) {
    linux_process::take_all_rights();
    const int saved = errno;
    if (allowed.exchange(false, std::memory_order_relaxed)) {
        slice_expired();
        allow();
    } else {
        missed.store(true, std::memory_order_relaxed);
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

}  // namespace

void slice_timer_arm(std::uint64_t ns) {
    if (!have_timer) create_timer();
    missed.store(false, std::memory_order_relaxed);
    set(ns == 0 ? 1 : ns);
}
void slice_timer_disarm() { set(0); }
void slice_interrupts(bool on) {
    if (on) allow();
    else allowed.store(false, std::memory_order_relaxed);
}

}  // namespace unibpf::platform
