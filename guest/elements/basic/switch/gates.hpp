#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// Elements that let packets pass or not, by something other than what these hold.

// RandomSample - lets packets pass by chance
//
//   RandomSample([P] [, SAMPLE p, DROP p, ACTIVE bool])
//
// A packet passes with probability P (SAMPLE is the same, DROP says one minus it); others leave by output 1 if there is one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: policed.
// Handlers: count, drops, sampling_prob, drop_prob (read), active (read, write).
// Example: FromDevice(eth0) -> RandomSample(0.1) -> Print(sample) -> Discard;
class RandomSample : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }
    void print(Text& out, bool dropped) const;

  private:
    static constexpr std::uint32_t one = 1u << 28;
    std::uint32_t chance_ = one;
    bool active_ = true;
};

// Block - stops packets
//
//   Block([THRESH])
//
// With a THRESH of 0, the default, all packets pass; with any other none do, and leave by output 1 if there is one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: policed.
// Handlers: count, drops (read), thresh (read, write).
// Example: b :: Block(1) -> Discard; b[1] -> Discard;
class Block : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    std::uint32_t thresh() const { return thresh_; }
    void set_thresh(std::uint32_t thresh) { thresh_ = thresh; }

  private:
    std::uint32_t thresh_ = 0;
};

// Suppressor - passes packets on each port until told otherwise
//
//   Suppressor
//
// Packets go from input N to output N. The handlers `suppress` and `allow` take a port's number, `reset` allows all; `active0` to `active7` are
// written too.
// Ports: any number of agnostic inputs, any number of agnostic outputs.
// Drops: policed.
// Handlers: count, drops (read), active0, active1, active2, active3, active4, active5, active6, active7 (read, write), suppress, allow, reset (write).
// Example: s :: Suppressor; FromDevice(eth0) -> s -> Discard; FromDevice(eth1) -> [1]s; s[1] -> Discard;
class Suppressor : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;
    void pull(unsigned port, Batch& batch) override;

    bool allowed(unsigned port) const { return !suppressed_[port]; }
    void allow(unsigned port, bool allowed) { suppressed_[port] = !allowed; }
    void reset_ports() { suppressed_ = {}; }

  private:
    std::array<bool, 256> suppressed_{};
};

// Bypass - leads packets round other elements
//
//   Bypass([ACTIVE])
//
// Packets of input 0 leave by output 1 and come back by input 1, which leads to output 0; while ACTIVE they leave by output 0 at once.
// Ports: one or two push inputs, one or two push outputs.
// Handlers: count (read), active (read, write).
// Example: FromDevice(eth0) -> b :: Bypass -> Discard; b[1] -> Counter -> [1]b;
class Bypass : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    bool active_ = false;
};

}  // namespace unibpf
