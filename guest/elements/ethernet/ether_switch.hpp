#pragma once

#include "guest/core/heap.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// EtherSwitch - forwards Ethernet frames as a learning bridge does
//
//   EtherSwitch([TIMEOUT t])
//
// As many inputs as outputs. A frame's source address is remembered with the input that it came by, for TIMEOUT (default 300s; 0 for ever). A frame leaves by the
// output of its destination, or as copies by all but its own where nobody knows that address or where it is for many; a frame for its own
// port goes nowhere. Remembers up to 1024 addresses, the oldest of those that collide go first.
// Ports: any number of push inputs, any number of push outputs.
// Drops: too-short, not-ours, no-buffer.
// Handlers: count, drops, table (read), timeout (read, write).
// Example: s :: EtherSwitch; FromDevice(eth0) -> s -> Queue -> ToDevice(eth0); FromDevice(eth1) -> [1]s[1] -> Queue -> ToDevice(eth1);
class EtherSwitch : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void take_state(Element& old) override;

    void print(Text& out) const;
    std::uint32_t timeout() const { return static_cast<std::uint32_t>(timeout_.ns / 1'000'000'000); }
    void set_timeout(std::uint32_t seconds) { timeout_.ns = std::uint64_t{seconds} * 1'000'000'000; }

  private:
    struct Station {
        EtherAddress address{};
        std::uint16_t port = 0;
        std::uint64_t heard_ns = 0;
        bool used = false;
    };
    static constexpr std::size_t ways = 4, sets = 256;
    static constexpr std::uint16_t unknown = 0xffff;
    Station* set_of(const std::uint8_t* address) const;
    void learn(const std::uint8_t* address, unsigned port);
    std::uint16_t find(const std::uint8_t* address) const;
    void flood(Batch&& batch, unsigned from);

    Duration timeout_{300'000'000'000};
    PacketPool* pool_ = nullptr;
    OwnedArray<Station> stations_;
};

}  // namespace unibpf
