// The element class whose name is nearest to one that does not exist, for the error about it.
#pragma once

#include <string_view>

namespace unibpf {

class Registry;

// Empty when none is near.
std::string_view nearest_name(std::string_view name, const Registry& registry);

}  // namespace unibpf
