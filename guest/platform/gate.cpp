// Stacks switch with full rights, to the program stack and back; PKRU changes on the program stack. So where a program returns
// to is the guest's own code, by a stack pointer that it cannot write. Whoever jumps to the way in meets the check of the rights
// behind it; whoever jumps to the way out only ends the run.
#include "guest/platform/gate.hpp"

#include "guest/platform/slice.hpp"

namespace unibpf::platform::gate {
namespace {

// Programs cannot write here.
struct Run {
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    void* main_sp = nullptr;
    std::uint32_t rights = all_rights;
    bool active = false;
    bool faulted = false;
};
Run the_run;

[[noreturn]] void leave() {
    the_run.active = false;
    void* nowhere;
    unibpf_switch_stack(&nowhere, the_run.main_sp);
    panic("isolation: a run that was over went on");
}

void enter_rights() {
    write_rights(the_run.rights);
    if (read_rights() != the_run.rights) panic("isolation: the way in was entered from elsewhere");
}

[[noreturn]] void on_program_stack() {
    enter_rights();
    the_run.entry(the_run.argument);
    write_rights(all_rights);
    leave();
}

}  // namespace

bool run(std::uint32_t rights, void (*entry)(void*), void* argument, std::span<std::byte> stack) {
    if (the_run.active) panic("isolation: bad start of a run");
    const SlicePause pause;
    the_run = {.entry = entry, .argument = argument, .rights = rights, .active = true};
    unibpf_switch_stack(&the_run.main_sp, fresh_stack(stack, on_program_stack));
    return !the_run.faulted;
}

bool active() { return the_run.active; }
void back_to_the_run() { enter_rights(); }

void end_by_fault() {
    the_run.faulted = true;
    asm volatile("cld" : : : "cc");
    leave();
}

}  // namespace unibpf::platform::gate
