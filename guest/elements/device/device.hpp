// How elements find the NIC that their configuration names.
#pragma once

#include <string_view>

#include "guest/graph/element.hpp"

namespace unibpf {

// Null, with an error at the element's place, when the graph may not use that name or no NIC bears it.
Nic* graph_nic(std::string_view device, const Element& element, const Environment& environment, Errors& errors);

}  // namespace unibpf
