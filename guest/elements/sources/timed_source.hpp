#pragma once

#include "guest/elements/sources/packet_source.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf {

// TimedSource - makes a packet every so often
//
//   TimedSource([INTERVAL] [, DATA, LIMIT, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP])
//
// Pushes one packet that holds DATA each INTERVAL (default 0.5s), the first one after the first INTERVAL. At most LIMIT packets
// (none: -1); after the last one STOP ends the `click` driver.
// Ports: one push output.
// Handlers: count (read), active, limit, data, interval (read, write), reset (write).
// Example: TimedSource(10ms, LIMIT 3) -> Queue -> ToDevice(eth0);
class TimedSource : public PacketSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void run_timer(Timer& timer) override;
    void set_active(bool active) override;

    Duration interval() const { return interval_; }
    void set_interval(Duration interval);

  private:
    Timer timer_;
    Duration interval_{500'000'000};
};

// RatedSource - makes packets at a rate
//
//   RatedSource([DATA] [, RATE, LIMIT, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP, BANDWIDTH])
//
// Makes RATE packets a second (default 10) that hold DATA, or as many as make BANDWIDTH. At most LIMIT packets (none: -1); after
// the last one STOP ends the `click` driver. On a pull output a packet is there when its time has come.
// Ports: one agnostic output.
// Handlers: count (read), active, limit, data, rate (read, write), reset (write).
// Example: RatedSource(RATE 1000, LENGTH 64) -> Queue -> ToDevice(eth0);
class RatedSource : public PacketSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    bool has_task() const override { return pushes(); }
    bool run_task() override;
    void run_timer(Timer&) override {}
    void pull(unsigned port, Batch& batch) override;
    void set_active(bool active) override;

    std::uint32_t rate() const { return rate_; }
    void set_rate(std::uint32_t rate);

  private:
    std::size_t due();

    Timer timer_;  // ends the sleep before the next packet
    std::uint32_t rate_ = 10;
    std::uint64_t begin_ns_ = 0;  // when `sent_` was 0
    std::uint64_t sent_ = 0;
    bool begun_ = false;
};

}  // namespace unibpf
