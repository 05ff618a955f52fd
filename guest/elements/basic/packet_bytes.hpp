#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// Elements that change how long packets are, or what stands in them.

// StripToNetworkHeader - takes off all that is before the network header
//
//   StripToNetworkHeader
//
// The packet begins with its network header then. Packets without a marked one are dropped.
// Ports: one agnostic input, one agnostic output.
// Drops: bad-header.
// Handlers: count, drops (read).
// Example: MarkIPHeader(14) -> StripToNetworkHeader -> Discard;
class StripToNetworkHeader : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
};

// Truncate - cuts packets to a length
//
//   Truncate(LENGTH [, EXTRA_ANNO bool])
//
// Packets longer than LENGTH lose what is beyond; how much that was stays as the extra length annotation, unless EXTRA_ANNO is false.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: FromDevice(eth0) -> Truncate(64) -> Discard;
class Truncate : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    std::uint32_t length_ = 0;
    bool annotate_ = true;
};

// Pad - makes packets longer
//
//   Pad([LENGTH] [, ZERO bool])
//
// Packets shorter than LENGTH become that long; without LENGTH they get back the length that Truncate noted. The new bytes are zero unless ZERO is
// false.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: Strip(14) -> Pad(46) -> Discard;
class Pad : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool pad(Packet& packet) const;

    std::uint32_t length_ = 0;
    bool zero_ = true;
};

// CheckLength - sorts out long packets
//
//   CheckLength(LENGTH [, EXTRA_LENGTH bool])
//
// Packets longer than LENGTH leave by output 1; with EXTRA_LENGTH the extra length annotation counts too.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-long.
// Handlers: count, drops (read), length (read, write).
// Example: c :: CheckLength(1500) -> Discard; c[1] -> Discard;
class CheckLength : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

    std::uint32_t longest() const { return length_; }
    void set_longest(std::uint32_t length) { length_ = length; }

  private:
    std::uint32_t length_ = 0;
    bool extra_ = false;
};

// StoreData - writes bytes into packets
//
//   StoreData(OFFSET, DATA [, MASK m, GROW bool])
//
// Writes DATA OFFSET bytes into each packet, as far as the packet goes; with MASK only its bits change, with GROW the packet becomes long
// enough.
// Ports: one agnostic input, one agnostic output.
// Drops: no-headroom.
// Handlers: count, drops (read).
// Example: StoreData(0, \<02 00 00 00 00 01>) -> Discard;
class StoreData : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool store(Packet& packet) const;

    std::uint32_t offset_ = 0;
    std::string_view data_;
    std::string_view mask_;
    bool grow_ = false;
};

// SetTimestamp - gives packets the time as their timestamp
//
//   SetTimestamp([T])
//
// The timestamp annotation becomes the time of now, or T seconds.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: SetTimestamp -> Queue -> DelayUnqueue(20ms) -> Discard;
class SetTimestamp : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    Duration time_;
    bool given_ = false;
};

// Align - keeps packets as they are
//
//   Align(MODULUS, OFFSET)
//
// Accepted for configurations that were made for Click; every element here reads packets of any alignment.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read).
// Example: Align(4, 0) -> Discard;
class Align : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
};

}  // namespace unibpf
