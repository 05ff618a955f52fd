#include "guest/click/elements/message.hpp"

#include <cstdio>
#include <string>

namespace unibpf::click {

const ElementClass Message::class_row{"Message", "0/0", "a/a", "[TYPE,] TEXT", "says something when the graph is built", {}, {}, create_element<Message>};
const ElementClass ErrorElement::class_row{"ErrorElement", "-/-", "a/a", "...", "keeps the graph from starting", {}, {}, create_element<ErrorElement>};

void Message::configure(Args& args) {
    std::string_view type = "MESSAGE", text;
    const bool two = args.left() > 1;
    if (two) args.required("TYPE", type);
    args.required("MESSAGE", text);
    if (type == "ERROR") return args.error(text);
    const std::string line = std::string{type == "WARNING" ? "warning: " : ""} + std::string{text} + "\n";
    std::fputs(line.c_str(), stderr);
}

void ErrorElement::configure(Args& args) {
    while (args.next()) {}
    args.error("configuration error, as this element always has");
}

}  // namespace unibpf::click
