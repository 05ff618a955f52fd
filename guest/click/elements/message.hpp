#pragma once

#include "guest/graph/element.hpp"

namespace unibpf::click {

// Message - says something when the graph is built
//
//   Message([TYPE,] TEXT)
//
// TYPE is MESSAGE (the default), WARNING or ERROR, which keeps the graph from starting.
class Message : public Element {
  public:
    static const ElementClass class_row;
    void configure(Args& args) override;
};

// ErrorElement - keeps the graph from starting
class ErrorElement : public Element {
  public:
    static const ElementClass class_row;
    void configure(Args& args) override;
};

}  // namespace unibpf::click
