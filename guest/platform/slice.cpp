// The control slice: one task on a stack of its own that a timer takes the CPU from.
//
// Who may touch what: `task.sp` and `task.end` change only when stacks switch. `on_control` is true exactly while code runs on
// the control stack with its interrupts on; it is set and cleared on the control side, so a late timer that hits the main stack
// finds it false and does nothing. `depth` and `expired_inside` are shared with the handler, which runs on the same CPU:
// relaxed atomics with signal fences order them.
#include "guest/platform/slice.hpp"

#include <atomic>

#include "guest/platform/platform.hpp"

extern "C" void unibpf_slice_trampoline();

namespace unibpf::platform {
namespace {

struct Task {
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    void* sp = nullptr;       // of the control stack while main runs
    void* main_sp = nullptr;  // of the main stack while control runs
    SliceEnd end = SliceEnd::finished;
    bool ready = false;       // there is something to resume
    std::uint64_t end_ns = 0;  // of the slice
};

Task task;
std::atomic<bool> on_control{false};
std::atomic<unsigned> depth{0};
std::atomic<bool> expired_inside{false};

void enter() {
    on_control.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    slice_interrupts(true);
}

// From the control stack to the main stack, and back again later.
void leave(SliceEnd end) {
    slice_interrupts(false);
    on_control.store(false, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    task.end = end;
    unibpf_switch_stack(&task.sp, task.main_sp);
}

[[noreturn]] void run_task() {
    enter();
    task.entry(task.argument);
    leave(SliceEnd::finished);
    panic("control slice: a finished task was resumed");
}

}  // namespace

void* fresh_stack(std::span<std::byte> stack, void (*entry)()) {
    // What unibpf_switch_stack pops: mxcsr and x87 control word at their power-up values, six registers, a return address.
    // At the trampoline's call the stack is 16-byte aligned, as the ABI asks.
    const auto top = (reinterpret_cast<std::uintptr_t>(stack.data()) + stack.size()) & ~std::uintptr_t{15};
    auto* frame = reinterpret_cast<std::uint64_t*>(top) - 8;
    for (int i = 0; i < 8; ++i) frame[i] = 0;
    frame[0] = 0x0000'037f'0000'1f80;
    frame[5] = reinterpret_cast<std::uint64_t>(entry);  // rbx
    frame[7] = reinterpret_cast<std::uint64_t>(&unibpf_slice_trampoline);
    return frame;
}

void control_start(void (*entry)(void*), void* argument, std::span<std::byte> stack) {
    if (on_control || stack.size() < 16384) panic("control slice: bad start");
    task.entry = entry;
    task.argument = argument;
    task.sp = fresh_stack(stack, run_task);
    task.ready = true;
}

SliceEnd control_resume(std::uint64_t slice_ns) {
    if (!task.ready) return SliceEnd::finished;
    task.end_ns = monotonic_ns() + slice_ns;
    slice_timer_arm(slice_ns);
    unibpf_switch_stack(&task.main_sp, task.sp);
    slice_timer_disarm();
    if (task.end == SliceEnd::finished) task.ready = false;
    return task.end;
}

void control_yield() {
    if (!on_control || depth != 0) panic("control slice: yield outside the task or inside NoPreempt");
    leave(SliceEnd::yielded);
    enter();
}

bool on_control_stack() { return on_control.load(std::memory_order_relaxed); }

void slice_expired() {
    if (!on_control.load(std::memory_order_relaxed)) return;
    if (depth.load(std::memory_order_relaxed) != 0) {
        expired_inside.store(true, std::memory_order_relaxed);
        return;
    }
    leave(SliceEnd::preempted);
    // Interrupts stay off: the handler's return turns them on again.
    on_control.store(true, std::memory_order_relaxed);
}

SlicePause::SlicePause() : pauses_{on_control_stack()} {
    if (!pauses_) return;
    slice_interrupts(false);
    slice_timer_disarm();
}

SlicePause::~SlicePause() {
    if (!pauses_) return;
    const std::uint64_t now = monotonic_ns();
    slice_timer_arm(task.end_ns > now ? task.end_ns - now : 1);
    slice_interrupts(true);
}

NoPreempt::NoPreempt() {
    if (!on_control_stack()) return;
    depth.fetch_add(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

NoPreempt::~NoPreempt() {
    if (!on_control_stack()) return;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (depth.fetch_sub(1, std::memory_order_relaxed) != 1) return;
    if (!expired_inside.exchange(false, std::memory_order_relaxed)) return;
    leave(SliceEnd::preempted);
    enter();
}

}  // namespace unibpf::platform
