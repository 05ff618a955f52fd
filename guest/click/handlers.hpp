// Handlers by name: those of an element's class, those that every element has, and those of the graph as a whole.
//
// `ELEMENT.HANDLER`, or `HANDLER` alone of the graph; an element's name is looked for in the compound of whoever asks, then in
// those around it.
#pragma once

#include <string>
#include <string_view>

#include "guest/click/driver.hpp"

namespace unibpf::click {

struct HandlerPath {
    Element* element = nullptr;  // null: the graph's
    std::string handler;
    std::string name() const;
};

// What a call gave: its text, or what went wrong.
struct Answer {
    bool ok = true;
    std::string text;
};

// Null element and `ok` false when there is no such element.
Answer find_path(Driver& driver, const Element* from, std::string_view path, HandlerPath& found);
Answer read_handler(Driver& driver, const HandlerPath& path, std::string_view argument);
Answer write_handler(Driver& driver, const HandlerPath& path, std::string_view value);
bool has_read(Driver& driver, const HandlerPath& path);
bool has_write(Driver& driver, const HandlerPath& path);

// `PATH [ARGUMENT]` in one text.
Answer call_read(Driver& driver, const Element* from, std::string_view call);
Answer call_write(Driver& driver, const Element* from, std::string_view call);

// The graph as text, compounds taken apart.
std::string flat_configuration(const Router& router);

}  // namespace unibpf::click
