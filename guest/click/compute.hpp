// The handlers by which scripts compute.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guest/click/handlers.hpp"

namespace unibpf::click {

// False: no such handler.
bool compute(Driver& driver, std::string_view name, const std::string& argument, Answer& answer);

}  // namespace unibpf::click
