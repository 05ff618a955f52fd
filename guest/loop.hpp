// The main loop: packets first, then a slice of control work, then sleep if there is nothing to do.
//
// Invariants: a control slice is the only thing between two rounds of the data path, so a packet waits at most one slice and
// one round; while packets come the guest polls, after spin_ns without any it sleeps until a NIC interrupts or a tick passes.
#pragma once

#include <cstdint>
#include <span>

#include "guest/control/control.hpp"
#include "guest/core/loop_stats.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

struct LoopParts {
    Router& router;
    Control& control;
    LoopStats& stats;
    std::span<Nic* const> nics;
    std::uint64_t slice_ns;
};

// Returns when the host asks for power-off.
void run_loop(const LoopParts& parts);

}  // namespace unibpf
