// The standard element classes: one row for each element of this folder. `main` adds them to its Registry.
#pragma once

#include <span>

#include "guest/graph/element.hpp"

namespace unibpf {

std::span<const ElementClass* const> standard_elements();

}  // namespace unibpf
