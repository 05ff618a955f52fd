#pragma once

#include "guest/elements/debug/packet_text.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// Print - writes packets to the console
//
//   Print([LABEL] [, MAXLENGTH, CONTENTS, TIMESTAMP, HEADROOM, ACTIVE])
//
// One line for each packet: label, time if TIMESTAMP, length, headroom and tailroom if HEADROOM, and the first MAXLENGTH bytes
// (default 24, all of them: -1). CONTENTS is HEX (the default; groups of four), ASCII or NONE. For looking at a graph, not for
// running one: the console is slow.
// Ports: one agnostic input, one agnostic output.
// Handlers: count (read), active (read, write).
// Example: FromDevice(eth0) -> Print(in, MAXLENGTH 14) -> Discard;
class Print : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }

  private:
    void print(const Packet& packet) const;

    std::string_view label_;
    std::int32_t max_length_ = 24;
    PacketText contents_ = PacketText::hex;
    bool timestamp_ = false;
    bool headroom_ = false;
    bool active_ = true;
    void (*write_)(std::string_view) = nullptr;
};

}  // namespace unibpf
