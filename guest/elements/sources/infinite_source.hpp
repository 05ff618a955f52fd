#pragma once

#include "guest/elements/sources/packet_source.hpp"

namespace unibpf {

// InfiniteSource - makes packets as fast as it can
//
//   InfiniteSource([DATA] [, LIMIT, BURST, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP])
//
// Makes packets that hold DATA, LENGTH bytes long (zeroes after DATA) where LENGTH is given. At most LIMIT packets (none: -1),
// BURST in each round; none while ACTIVE is false. After the last one STOP ends the `click` driver. On a pull output it makes
// one for each that is asked for. TIMESTAMP false leaves packets without their time.
// Ports: one agnostic output.
// Handlers: count (read), active, limit, data (read, write), reset (write).
// Example: InfiniteSource(LIMIT 1000, LENGTH 64) -> Discard;
class InfiniteSource : public PacketSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    bool has_task() const override { return pushes(); }
    bool run_task() override;
    void pull(unsigned port, Batch& batch) override;
};

// RandomSource - makes packets of random bytes as fast as it can
//
//   RandomSource(LENGTH [, LIMIT, BURST, ACTIVE, STOP])
//
// As InfiniteSource, with LENGTH random bytes in each packet.
// Ports: one agnostic output.
// Handlers: count (read), active, limit, data (read, write), reset (write).
// Example: RandomSource(64, LIMIT 10) -> Print(random) -> Discard;
class RandomSource : public InfiniteSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;

  protected:
    void fill(Packet& packet) const override;
};

}  // namespace unibpf
