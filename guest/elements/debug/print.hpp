#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Print - writes packets to the console
//
//   Print([LABEL] [, MAXLENGTH n] [, CONTENTS HEX|NONE] [, ACTIVE bool])
//
// One line for each packet: label, length, and the first MAXLENGTH bytes (default 24, at most 128) in hexadecimal, in groups
// of four. For looking at a graph, not for running one: the console is slow.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read), active (read, write).
// Example: FromDevice(eth0) -> Print(in, MAXLENGTH 14) -> Discard;
class Print : public Element {
  public:
    static constexpr std::uint32_t most_printed_bytes = 128;
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    void print(const Packet& packet) const;

    std::string_view label_;
    std::uint32_t max_length_ = 24;
    bool hex_ = true;
    bool active_ = true;
    void (*write_)(std::string_view) = nullptr;
};

}  // namespace unibpf
