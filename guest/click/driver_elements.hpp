// The elements that only the `click` driver has: those that need files or the driver itself.
#pragma once

#include <span>

#include "guest/graph/element.hpp"

namespace unibpf::click {

std::span<const ElementClass* const> driver_elements();

}  // namespace unibpf::click
