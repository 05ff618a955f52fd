// Between the shared control slice (slice.cpp) and a platform's one-shot timer. Nobody else includes this.
//
// The platform's timer handler runs on the control stack, or on a stack of its own that stays untouched until the control
// task resumes; it has saved every register the interrupted code may use, vector registers included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" void unibpf_switch_stack(void** save_here, void* go_there);  // switch.S

namespace unibpf::platform {

// Supplied by the platform.
void slice_timer_arm(std::uint64_t ns);  // main stack, just before the switch; fires once or more until disarmed
void slice_timer_disarm();               // main stack, just after the switch back
void slice_interrupts(bool on);          // control stack: may the timer interrupt from here on?

// Supplied by slice.cpp: the stack pointer with which unibpf_switch_stack enters `entry` on a fresh stack. `entry` never returns.
void* fresh_stack(std::span<std::byte> stack, void (*entry)());

// Supplied by slice.cpp: while one lives, no timer comes, and the slice goes on afterwards with what was left of it. Does nothing on
// the main stack.
class SlicePause {
  public:
    SlicePause();
    ~SlicePause();
    SlicePause(const SlicePause&) = delete;
    SlicePause& operator=(const SlicePause&) = delete;

  private:
    bool pauses_;
};

// Supplied by slice.cpp: the timer fired. Returns at once on the main stack or inside NoPreempt, else when control resumes.
void slice_expired();

}  // namespace unibpf::platform
