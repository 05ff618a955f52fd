#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// Detour - lets packets wait for the next round
//
//   Detour
//
// Pushes on in the next round what was pushed into it. The graph has one of its own accord wherever packets could run in a
// circle, as ICMP errors do that go back to the routing table: it stands in the connection that closes the circle and is named
// `Detour@@1` and so on. Holds 128 packets.
// Ports: one push input, one push output.
// Drops: queue-full.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> Detour -> Discard;
class Detour : public Element {
  public:
    static const ElementClass class_row;

    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    bool has_task() const override { return true; }
    bool run_task() override;

  private:
    static constexpr std::size_t most_waiting = 128;

    const PacketPool* pool_ = nullptr;
    std::array<PacketPtr, most_waiting> ring_;
    std::size_t first_ = 0;
    std::size_t length_ = 0;
};

}  // namespace unibpf
