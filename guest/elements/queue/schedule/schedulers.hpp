#pragma once

#include "guest/core/heap.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// Schedulers that keep a batch of each input at hand, so as to choose packet by packet.
class FairScheduler : public Element {
  public:
    void initialize(Environment& environment, Errors& errors) override;
    void pull(unsigned port, Batch& batch) override;
    void take_state(Element& old) override;

  protected:
    struct Lane {
        Batch held;
        std::uint64_t credit = 0;  // stride: the pass; deficit round robin: the deficit
        std::uint32_t share = 1;   // stride: what a packet costs; else the quantum
    };
    // Whether a packet is at hand, after a pull where none was.
    bool ready(unsigned lane);
    // The lane whose packet is next; false: none has any.
    virtual bool choose(unsigned& lane) = 0;

    OwnedArray<Lane> lanes_;
    unsigned next_ = 0;
};

// PrioSched - pulls from the first input that has packets
//
//   PrioSched
//
// Input 0 goes before input 1, and so on.
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read).
// Example: s :: PrioSched; q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class PrioSched : public Element {
  public:
    static const ElementClass class_row;

    void pull(unsigned port, Batch& batch) override;
};

// SimplePrioSched - pulls from the first input that has packets, as PrioSched
//
//   SimplePrioSched
//
// The same element by its other name.
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read).
// Example: s :: SimplePrioSched; q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class SimplePrioSched : public PrioSched {
  public:
    static const ElementClass class_row;
};

// RoundRobinSched - pulls from its inputs in turn
//
//   RoundRobinSched
//
// One packet from each input that has some, in turn.
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read).
// Example: s :: RoundRobinSched; q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class RoundRobinSched : public FairScheduler {
  public:
    static const ElementClass class_row;

  private:
    bool choose(unsigned& lane) override;
};

// StrideSched - pulls from its inputs by their shares
//
//   StrideSched(TICKETS0, TICKETS1, ...)
//
// An input with twice the TICKETS gives twice as many packets, as long as both have some (stride scheduling, Waldspurger 1995).
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read).
// Example: s :: StrideSched(1, 3); q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class StrideSched : public FairScheduler {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;

  private:
    bool choose(unsigned& lane) override;
    OwnedArray<std::uint32_t> tickets_;
};

// DRRSched - pulls as many bytes from each of its inputs
//
//   DRRSched([QUANTUM])
//
// Deficit round robin (Shreedhar, Varghese 1996): each input gets QUANTUM bytes (default 500) a turn.
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read).
// Example: s :: DRRSched; q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class DRRSched : public FairScheduler {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;

  private:
    bool choose(unsigned& lane) override;
    std::uint32_t quantum_ = 500;
    bool fresh_turn_ = true;
};

// PullSwitch - pulls from one input
//
//   PullSwitch([INPUT])
//
// Packets come from INPUT (default 0) alone; with -1 none do. The handler `switch` chooses another one.
// Ports: one or more pull inputs, one pull output.
// Handlers: count (read), switch (read, write).
// Example: s :: PullSwitch(1); q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class PullSwitch : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void pull(unsigned port, Batch& batch) override;

    std::int32_t chosen() const { return chosen_; }
    void choose(std::int32_t input) { chosen_ = input; }

  private:
    std::int32_t chosen_ = 0;
};

// StaticPullSwitch - pulls from one input that stays
//
//   StaticPullSwitch([INPUT])
//
// As PullSwitch, without the handler.
// Ports: one or more pull inputs, one pull output.
// Handlers: count, switch (read).
// Example: s :: StaticPullSwitch(1); q1 :: Queue -> s -> ToDevice(eth0); q2 :: Queue -> [1]s;
class StaticPullSwitch : public PullSwitch {
  public:
    static const ElementClass class_row;
};

}  // namespace unibpf
