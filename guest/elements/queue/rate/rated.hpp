#pragma once

#include "guest/elements/queue/rate/token_bucket.hpp"
#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf {

// What all elements with a RATE share: packets in a second, or bytes where the class's name says bandwidth.
class RatedElement : public Element {
  public:
    void configure(Args& args) override;

    std::uint64_t rate() const { return bucket_.rate(); }
    void set_rate(std::uint64_t rate) { bucket_.set_rate(rate); }

  protected:
    explicit RatedElement(bool bytes) : bytes_{bytes} {}
    void refill();
    // Whether a packet may pass now; then it has.
    bool admit(const Packet& packet);
    bool open() const { return bytes_ ? bucket_.ready() : bucket_.whole(); }
    std::uint64_t open_ns() const { return bucket_.ready_ns(!bytes_); }

  private:
    bool bytes_;
    TokenBucket bucket_;
};

class RateSplitter : public RatedElement {
  public:
    using RatedElement::RatedElement;
    void process(Batch& batch) override;
};

class RateShaper : public RatedElement {
  public:
    using RatedElement::RatedElement;
    void initialize(Environment& environment, Errors& errors) override;
    void pull(unsigned port, Batch& batch) override;
    void take_state(Element& old) override;

  private:
    Batch held_;
    Timer timer_;
};

class RateUnqueue : public RatedElement {
  public:
    using RatedElement::RatedElement;
    void initialize(Environment& environment, Errors& errors) override;
    bool has_task() const override { return true; }
    bool run_task() override;
    void take_state(Element& old) override;

  private:
    Batch held_;
    Timer timer_;
};

// RatedSplitter - splits packets that come faster than a rate
//
//   RatedSplitter(RATE)
//
// Up to RATE packets a second leave by output 0, those beyond it by output 1. The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: policed.
// Handlers: count, drops (read), rate (read, write).
// Example: s :: RatedSplitter(1000) -> Discard; s[1] -> Discard;
class RatedSplitter : public RateSplitter {
  public:
    static const ElementClass class_row;
    RatedSplitter() : RateSplitter{false} {}
};

// BandwidthRatedSplitter - splits bytes that come faster than a rate
//
//   BandwidthRatedSplitter(RATE)
//
// Packets of up to RATE bytes a second (`8Mbps`, `1MBps`) leave by output 0, those beyond it by output 1. The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: policed.
// Handlers: count, drops (read), rate (read, write).
// Example: s :: BandwidthRatedSplitter(1MBps) -> Discard; s[1] -> Discard;
class BandwidthRatedSplitter : public RateSplitter {
  public:
    static const ElementClass class_row;
    BandwidthRatedSplitter() : RateSplitter{true} {}
};

// Shaper - lets packets be pulled at a rate
//
//   Shaper(RATE)
//
// Gives at most RATE packets a second to whoever pulls. The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one pull input, one pull output.
// Handlers: count, drops (read), rate (read, write).
// Example: Queue -> Shaper(1000) -> ToDevice(eth0);
class Shaper : public RateShaper {
  public:
    static const ElementClass class_row;
    Shaper() : RateShaper{false} {}
};

// BandwidthShaper - lets bytes be pulled at a rate
//
//   BandwidthShaper(RATE)
//
// Gives at most RATE bytes a second (`8Mbps`, `1MBps`) to whoever pulls. The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one pull input, one pull output.
// Handlers: count, drops (read), rate (read, write).
// Example: Queue -> BandwidthShaper(1MBps) -> ToDevice(eth0);
class BandwidthShaper : public RateShaper {
  public:
    static const ElementClass class_row;
    BandwidthShaper() : RateShaper{true} {}
};

// RatedUnqueue - pulls packets at a rate and pushes them on
//
//   RatedUnqueue(RATE)
//
// Moves at most RATE packets a second. The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one pull input, one push output.
// Handlers: count, drops (read), rate (read, write).
// Example: Queue -> RatedUnqueue(1000) -> Discard;
class RatedUnqueue : public RateUnqueue {
  public:
    static const ElementClass class_row;
    RatedUnqueue() : RateUnqueue{false} {}
};

// BandwidthRatedUnqueue - pulls bytes at a rate and pushes them on
//
//   BandwidthRatedUnqueue(RATE)
//
// Moves at most RATE bytes a second (`8Mbps`, `1MBps`). The handler `rate` changes it; bursts are those of 20 milliseconds, one packet at least.
// Ports: one pull input, one push output.
// Handlers: count, drops (read), rate (read, write).
// Example: Queue -> BandwidthRatedUnqueue(1MBps) -> Discard;
class BandwidthRatedUnqueue : public RateUnqueue {
  public:
    static const ElementClass class_row;
    BandwidthRatedUnqueue() : RateUnqueue{true} {}
};

}  // namespace unibpf
