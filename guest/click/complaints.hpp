// Errors of a graph in Click's form: `FILE:LINE: text`, an element's under the line `FILE:LINE: While configuring 'x :: Class':`.
#pragma once

#include <string>
#include <string_view>

#include "guest/graph/element.hpp"
#include "guest/graph/errors.hpp"

namespace unibpf::click {

// FILE:LINE of a line of `text`, as its landmarks (`#line 3 "file"`) say.
std::string landmark(std::string_view text, std::string_view file, std::uint32_t line);

// All of them, one line or two each.
std::string complaints(const Errors& errors, std::string_view text, std::string_view file);
// One while the graph runs.
std::string complaint(const Element* who, std::string_view what, std::string_view text, std::string_view file);

}  // namespace unibpf::click
