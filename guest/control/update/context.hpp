// What the Control element shows of the channel: counters that the channel writes and the element's handlers read.
//
// One per guest, made by main before the router, because the element meets it while the graph initializes.
#pragma once

#include <array>
#include <cstdint>

#include "guest/control/net/frames.hpp"
#include "guest/control/rules.hpp"

namespace unibpf {

struct ControlContext {
    std::uint64_t requests = 0;
    std::uint64_t duplicates = 0;   // retransmissions, answered from memory
    std::uint64_t malformed = 0;    // datagrams that are no CoAP request
    std::uint64_t stagings = 0;
    std::uint64_t activations = 0;
    std::uint64_t rollbacks = 0;    // asked for; the automatic ones are the slot's
    std::uint64_t queue_full = 0;   // management frames dropped because the control stack is behind
    std::uint64_t strangers_dropped = 0;  // frames of those without a key, dropped because their line was full
    std::uint64_t no_slot = 0;      // answers not sent because the packet pool was empty
    std::array<std::uint64_t, rule_table.size()> refusals{};           // by row of rule_table
    std::array<std::uint64_t, net::frame_kind_count> frames{};         // by kind

    std::uint64_t refused() const {
        std::uint64_t total = 0;
        for (const std::uint64_t count : refusals) total += count;
        return total;
    }
};

}  // namespace unibpf
