// The control channel (design 6): CoAP on the management NIC, run on the control stack.
//
// How main uses it:
//   parse_boot_image(...)                       guest/control/boot.hpp
//   verify_boot_graph(...)                      a bad graph is a named panic, main's business
//   ControlContext in the router's Environment, control_element_class in its Registry, then Router::create
//   Control::create(parts)                      after the Router is up; takes memory from the heap, once
//   control->load_first_programs()              says on the console which element got no program (it fails closed)
//   control_start(Control::entry, control, ..)  the control stack (stack_bytes); it runs only inside control_resume
//   loop: loop_stats.round_begins(now); router->run_once(now); loop_stats.round_ended(now);
//         control->poll();                      data-path side: frames in, posted swaps, answers out
//         control->round(now, busy);            how long the round was, for what strangers may cost
//         if (control->wants_slice()) control->run_slice(slice_ns);   and then poll once more before sleeping: answers wait
//
// Invariants: everything the data path reads (slots, router) is changed by `poll` alone, on the main stack between two
// batches; the control stack only prepares and posts. The queues between the two stacks are single-producer,
// single-consumer and bounded: when full, the frame is dropped and counted, and the host's CoAP client sends it again.
// Who has shown no key waits in a line of his own, and only a small share of the time is spent on it (stranger_budget.hpp): a
// request with a good MAC is served before all of them, once the one that has begun is done.
#pragma once

#include <cstdint>

#include "guest/control/parts.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

class Control {
  public:
    static constexpr std::size_t stack_bytes = 64 * 1024;

    // Takes limits and floors of the boot image into the slots, too. Fails with rule `memory`.
    static Result<Control*> create(const ControlParts& parts);

    // The first programs of the boot image, with the same checks as an update; runs on the main stack, before the loop.
    void load_first_programs();

    // The boot's timings, shown by status; main reports them as it goes ("graph", "programs", "nics", ...).
    void boot_step(const char* name, std::uint64_t start_ns, std::uint64_t duration_ns);

    // Body of the control stack; never returns. `self` is the Control.
    static void entry(void* self);

    // Main stack, once a round: receives management frames, executes a posted action, sends answers. True if it did anything.
    bool poll();

    // Main stack, once a round, after the data path: `busy` if it had packets.
    void round(std::uint64_t now_ns, bool busy);

    // True while the control stack has something to do.
    bool wants_slice() const;

    // Main stack: platform::control_resume, timed.
    void run_slice(std::uint64_t slice_ns);

  private:
    struct State;
    explicit Control(State& state) : state_{state} {}
    State& state_;
};

}  // namespace unibpf
