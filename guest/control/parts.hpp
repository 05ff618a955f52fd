// What the control channel is made from.
#pragma once

#include <cstdint>

#include "guest/control/boot.hpp"
#include "guest/core/loop_stats.hpp"

namespace unibpf {

struct ControlContext;
class Nic;
class Router;
class SlotRegistry;

// What the control channel works on; all of it outlives the Control.
struct ControlParts {
    const BootImage* boot = nullptr;
    BootGraph graph;
    ControlContext* context = nullptr;  // the one in the router's Environment
    Router* router = nullptr;
    SlotRegistry* slots = nullptr;
    Nic* management = nullptr;        // may be null: a guest without management can be booted, but not updated
    LoopStats* loop = nullptr;
    const Nic* const* nics = nullptr;  // data NICs, for status
    std::uint32_t nic_count = 0;
    std::uint64_t entry_ns = 0;       // platform clock at entry; uptime counts from it
};

}  // namespace unibpf
