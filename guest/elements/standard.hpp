// The standard element classes: one row for each element of this folder, in the order of their names. `main` adds them to its Registry.
// The list is made from the headers when the guest is built (list_elements.py).
#pragma once

#include <span>

#include "guest/graph/element.hpp"

namespace unibpf {

std::span<const ElementClass* const> standard_elements();

}  // namespace unibpf
