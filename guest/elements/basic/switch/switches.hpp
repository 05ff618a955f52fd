#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Elements that choose an output by something other than what a packet holds.

// Switch - sends packets out of one output
//
//   Switch([OUTPUT])
//
// All packets leave by OUTPUT (default 0); with -1, or an output that is not there, they are dropped. The handler `switch` chooses another one.
// Ports: one push input, any number of push outputs.
// Drops: policed.
// Handlers: count, drops (read), switch (read, write).
// Example: s :: Switch(1); FromDevice(eth0) -> s; s[0] -> Discard; s[1] -> Queue -> ToDevice(eth0);
class Switch : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;
    void take_state(Element& old) override;

    std::int32_t chosen() const { return chosen_; }
    void choose(std::int32_t output) { chosen_ = output; }

  private:
    std::int32_t chosen_ = 0;
};

// StaticSwitch - sends packets out of one output that stays
//
//   StaticSwitch([OUTPUT])
//
// As Switch, without the handler.
// Ports: one push input, any number of push outputs.
// Drops: policed.
// Handlers: count, drops, switch (read).
// Example: s :: StaticSwitch(1); FromDevice(eth0) -> s; s[0] -> Discard; s[1] -> Discard;
class StaticSwitch : public Switch {
  public:
    static const ElementClass class_row;
};

// RoundRobinSwitch - sends packets out of its outputs in turn
//
//   RoundRobinSwitch
//
// The first packet leaves by output 0, the next by output 1, and so on.
// Ports: one push input, one or more push outputs.
// Handlers: count, drops (read).
// Example: s :: RoundRobinSwitch; FromDevice(eth0) -> s; s[0] -> Discard; s[1] -> Discard;
class RoundRobinSwitch : public Element {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;

  private:
    std::uint16_t next_ = 0;
};

// HashSwitch - sends packets that look alike out of one output
//
//   HashSwitch(OFFSET, LENGTH)
//
// The output is a hash of LENGTH bytes from OFFSET on, of as many as there are. The packets of one flow stay together.
// Ports: one push input, one or more push outputs.
// Handlers: count, drops (read).
// Example: s :: HashSwitch(26, 8); FromDevice(eth0) -> s; s[0] -> Discard; s[1] -> Discard;
class HashSwitch : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void push(unsigned port, Batch&& batch) override;

  private:
    std::uint32_t offset_ = 0;
    std::uint32_t length_ = 0;
};

// RandomSwitch - sends packets out of outputs by chance
//
//   RandomSwitch
//
// Every output is as likely as every other.
// Ports: one push input, one or more push outputs.
// Handlers: count, drops (read).
// Example: s :: RandomSwitch; FromDevice(eth0) -> s; s[0] -> Discard; s[1] -> Discard;
class RandomSwitch : public Element {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
};

// PaintSwitch - sends packets out of the output of their color
//
//   PaintSwitch
//
// A packet painted N leaves by output N; where there is none, it is dropped.
// Ports: one push input, any number of push outputs.
// Drops: policed.
// Handlers: count, drops (read).
// Example: FromDevice(eth0) -> Paint(1) -> s :: PaintSwitch; s[0] -> Discard; s[1] -> Discard;
class PaintSwitch : public Element {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
};

}  // namespace unibpf
