#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// AggregateIP - sets the aggregate annotation from a field of the header
//
//   AggregateIP(FIELD)
//
// FIELD is `ip src`, `ip dst` (each with `/LEN` for so many bits of it), `ip proto`, `ip tos`, `ip ttl`, `ip len`, `ip id`, `sport` or `dport`; later fragments have no
// ports. Packets without the field leave by output 1 if there is one. Expects a marked IP header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-match.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> AggregateIP(ip src/16) -> IPPrint(AGGREGATE true) -> Discard;
class AggregateIP : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    bool read(Packet& packet) const;

    bool transport_ = false;
    std::uint8_t offset_ = 0;   // of the word
    std::uint32_t mask_ = 0;
    std::uint8_t shift_ = 0;
};

}  // namespace unibpf
