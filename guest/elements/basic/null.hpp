#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Null - passes packets unchanged
//
//   Null
//
// Does nothing; it gives a place in the graph a name.
// Ports: one agnostic input, one agnostic output.
// Example: FromDevice(eth0) -> entry :: Null -> Discard;
class Null : public Element {
  public:
    static const ElementClass class_row;
};

}  // namespace unibpf
