#pragma once

#include "guest/core/heap.hpp"
#include "guest/elements/basic/meter.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// IPRateMonitor - measures rates by address, finer where there is more
//
//   IPRateMonitor(TYPE, RATIO, THRESH [, MEMORY n])
//
// Packets (TYPE PACKETS) or bytes (BYTES) a second, by the first byte of the destination address for packets of input 0, of the source for those of input
// 1. Where the two together reach THRESH, the next byte is told apart too, and so on to whole addresses, as long as MEMORY (in KiB, default 512) lasts; where they fall below
// half of it, no longer. Of all packets the fraction RATIO is measured. Packets pass from input N to output N. The handler `look` shows prefixes with their rates by
// destination and by source. Expects a marked IP header.
// Ports: one or two push inputs, one or two push outputs.
// Handlers: count, look, nodes (read), thresh (read, write), reset (write).
// Example: CheckIPHeader -> m :: IPRateMonitor(PACKETS, 1, 1000) -> Discard;
class IPRateMonitor : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;

    std::uint64_t thresh() const { return thresh_; }
    void set_thresh(std::uint64_t thresh) { thresh_ = thresh; }
    std::uint32_t nodes() const { return used_; }
    void look(Text& out);
    void reset();

  private:
    static constexpr std::uint32_t none = 0;  // the root is nobody's child
    struct Counter {
        RateAverage rates[2];
        std::uint32_t child = none;
    };
    struct Node {
        Counter counters[256];
        std::uint32_t next_free = none;
    };
    void measure(std::uint32_t address, std::uint64_t units, unsigned direction);
    std::uint64_t rate(Counter& counter) const;
    void release(Counter& counter);
    void print(Text& out, std::uint32_t node, std::uint32_t prefix, unsigned level);

    bool bytes_ = false;
    std::uint32_t sampled_ = 1u << 28;
    std::uint64_t thresh_ = 0;
    std::uint32_t memory_kib_ = 512;
    OwnedArray<Node> nodes_;
    std::uint32_t free_ = none;
    std::uint32_t used_ = 0;
};

}  // namespace unibpf
