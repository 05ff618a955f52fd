#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// A rate as an average over about a second that forgets: units in 100 ms, weighted by half every 300 ms.
class RateAverage {
  public:
    void add(std::uint64_t units, std::uint64_t now_ns);
    std::uint64_t per_second(std::uint64_t now_ns);

  private:
    static constexpr std::uint64_t step_ns = 100'000'000;
    void advance(std::uint64_t now_ns);
    std::uint64_t begun_ns_ = 0;
    std::uint64_t in_step_ = 0;
    std::uint64_t average_ = 0;  // units a step, in 65536ths
    bool begun_ = false;
};

// What Meter and BandwidthMeter share.
class RateMeter : public Element {
  public:
    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;

    std::uint64_t rate();

  protected:
    explicit RateMeter(bool bytes) : bytes_{bytes} {}

  private:
    static constexpr std::size_t most_rates = 16;
    bool bytes_;
    std::array<std::uint64_t, most_rates> rates_{};
    std::size_t count_ = 0;
    RateAverage average_;
};

// Meter - sorts packets by the rate at which they come
//
//   Meter(RATE1 [, RATE2, ...])
//
// While packets come at less than RATE1 a second they leave by output 0, while at less than RATE2 by output 1, and so on; above all by the last one.
// Ports: one push input, any number of push outputs.
// Drops: policed.
// Handlers: count, drops, rate (read).
// Example: m :: Meter(1000); FromDevice(eth0) -> m; m[0] -> Discard; m[1] -> Discard;
class Meter : public RateMeter {
  public:
    static const ElementClass class_row;
    Meter() : RateMeter{false} {}
};

// BandwidthMeter - sorts packets by the bandwidth at which they come
//
//   BandwidthMeter(RATE1 [, RATE2, ...])
//
// As Meter, with bytes a second (`8Mbps`, `1MBps`).
// Ports: one push input, any number of push outputs.
// Drops: policed.
// Handlers: count, drops, rate (read).
// Example: m :: BandwidthMeter(1MBps); FromDevice(eth0) -> m; m[0] -> Discard; m[1] -> Discard;
class BandwidthMeter : public RateMeter {
  public:
    static const ElementClass class_row;
    BandwidthMeter() : RateMeter{true} {}
};

// AverageCounter - counts packets and says at what rate they came
//
//   AverageCounter([IGNORE])
//
// Rates are those from the first packet on, but for the first IGNORE seconds, to the last one.
// Ports: one agnostic input, one agnostic output.
// Handlers: count, byte_count, rate, byte_rate (read), reset (write).
// Example: FromDevice(eth0) -> AverageCounter -> Discard;
class AverageCounter : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;
    void take_state(Element& old) override;

    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t counted() const { return counted_; }
    std::uint64_t rate() const { return per_second(counted_); }
    std::uint64_t byte_rate() const { return per_second(bytes_); }
    void reset();

  private:
    std::uint64_t per_second(std::uint64_t units) const;

    std::uint32_t ignored_s_ = 0;
    std::uint64_t counted_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t first_ns_ = 0;
    std::uint64_t last_ns_ = 0;
};

}  // namespace unibpf
