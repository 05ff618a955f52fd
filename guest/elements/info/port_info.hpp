#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// PortInfo - gives names to TCP and UDP ports
//
//   PortInfo(NAME PORT[/tcp|/udp], ...)
//
// Arguments of other elements may then say the name instead of the number, in the compound of this element and in those inside.
// Names of daily use (http, domain, ssh, ...) are known without it.
// Example: PortInfo(control 5683/udp);
class PortInfo : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
};

// AlignmentInfo - says how packets are aligned, which nothing here depends on
//
//   AlignmentInfo(ELEMENT MODULUS OFFSET ..., ...)
//
// Accepted for configurations that were made for Click; every element here reads packets of any alignment.
// Example: AlignmentInfo(c 4 2);
class AlignmentInfo : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
};

}  // namespace unibpf
