#pragma once

#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf {

// What DelayShaper and DelayUnqueue share: packets wait until their timestamp is DELAY old.
class DelayElement : public Element {
  public:
    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void take_state(Element& old) override;

    std::uint64_t delay_ms() const { return delay_.ns / 1'000'000; }

  protected:
    // Those whose time has come.
    void release(Batch& batch);

  private:
    Duration delay_;
    Batch held_;
    Timer timer_;
};

// DelayShaper - lets packets be pulled after a delay
//
//   DelayShaper(DELAY)
//
// A packet can be pulled DELAY after its timestamp, which SetTimestamp and FromDevice set.
// Ports: one pull input, one pull output.
// Handlers: count, delay_ms (read).
// Example: FromDevice(eth0) -> Queue -> DelayShaper(20ms) -> ToDevice(eth1);
class DelayShaper : public DelayElement {
  public:
    static const ElementClass class_row;

    void pull(unsigned port, Batch& batch) override;
};

// DelayUnqueue - pushes packets on after a delay
//
//   DelayUnqueue(DELAY)
//
// Pulls packets and pushes each DELAY after its timestamp, which SetTimestamp and FromDevice set.
// Ports: one pull input, one push output.
// Handlers: count, delay_ms (read).
// Example: FromDevice(eth0) -> Queue -> DelayUnqueue(20ms) -> Queue -> ToDevice(eth1);
class DelayUnqueue : public DelayElement {
  public:
    static const ElementClass class_row;

    bool has_task() const override { return true; }
    bool run_task() override;
};

// Burster - pushes packets in bursts
//
//   Burster(INTERVAL [, MAX])
//
// Each INTERVAL pulls at most MAX packets (default 8) and pushes them on.
// Ports: one pull input, one push output.
// Handlers: count, interval_ms (read).
// Example: Queue -> Burster(10ms, 4) -> Discard;
class Burster : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void run_timer(Timer& timer) override;
    void take_state(Element& old) override;

    std::uint64_t interval_ms() const { return interval_.ns / 1'000'000; }

  private:
    Duration interval_;
    std::uint32_t most_ = 8;
    Batch held_;
    Timer timer_;
};

}  // namespace unibpf
