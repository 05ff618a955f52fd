#include "guest/click/handlers.hpp"

#include <algorithm>
#include <set>

#include "guest/click/script.hpp"
#include "guest/graph/config.hpp"

namespace unibpf::click {
namespace {

constexpr std::size_t longest_answer = 1 << 20;

std::string lines(const std::vector<std::string>& all) {
    std::string out = std::to_string(all.size()) + "\n";
    for (const std::string& line : all) out += line + "\n";
    return out;
}

std::string port_line(const Port& port, bool output, std::string_view other) {
    if (!port.connected()) return std::string{other};
    return std::string{output ? "push" : "pull"} + "\t-\t" + (output ? "-> [" : "<- [") + std::to_string(port.peer_port()) + "] " +
           std::string{port.peer()->name()};
}

std::string ports(const Element& element) {
    std::string out = std::to_string(element.inputs()) + " input" + (element.inputs() == 1 ? "\n" : "s\n");
    for (unsigned i = 0; i < element.inputs(); ++i) out += port_line(element.input(i), false, "push\t-") + "\n";
    out += std::to_string(element.outputs()) + " output" + (element.outputs() == 1 ? "\n" : "s\n");
    for (unsigned i = 0; i < element.outputs(); ++i) out += port_line(element.output(i), true, "pull\t-") + "\n";
    return out;
}

// --- handlers that every element has ---

std::string handler_list(const Element& element);

struct ElementRow {
    std::string_view name;
    std::string (*read)(const Element& element);
};
constexpr ElementRow element_rows[] = {
    {"class", [](const Element& e) { return std::string{e.class_name()}; }},
    {"name", [](const Element& e) { return std::string{e.name()}; }},
    {"config", [](const Element& e) { return std::string{e.configuration()}; }},
    {"ports", ports},
    {"handlers", handler_list},
};

std::string handler_list(const Element& element) {
    std::string out;
    for (const Handler& handler : element.element_class().handlers)
        out += std::string{handler.name} + "\t" + (handler.read || handler.query ? "r" : "") + (handler.write ? "w" : "") + "\n";
    for (const ElementRow& row : element_rows) out += std::string{row.name} + "\tr\n";
    return out;
}

// --- handlers of the graph ---

struct GraphRow {
    std::string_view name;
    std::string (*read)(Driver& driver);
    void (*write)(Driver& driver, std::string_view value);
};

std::string graph_handlers(Driver&);

std::string element_names(Driver& driver) {
    std::vector<std::string> names;
    for (const Element* element : driver.router().elements()) names.emplace_back(element->name());
    return lines(names);
}

std::string class_names(Driver& driver) {
    std::set<std::string> names;
    for (const ElementClass* row : driver.registry().classes()) names.emplace(row->name);
    return lines({names.begin(), names.end()});
}

constexpr GraphRow graph_rows[] = {
    {"version", [](Driver&) { return std::string{"2.1"}; }, nullptr},
    {"list", element_names, nullptr},
    {"classes", class_names, nullptr},
    {"config", [](Driver& driver) { return driver.options().text; }, nullptr},
    {"flatconfig", [](Driver& driver) { return flat_configuration(driver.router()); }, nullptr},
    {"packages", [](Driver&) { return std::string{"0\n"}; }, nullptr},
    {"requirements", [](Driver&) { return std::string{"0\n"}; }, nullptr},
    {"handlers", graph_handlers, nullptr},
    {"stop", nullptr, [](Driver& driver, std::string_view) { driver.stop_from_outside(); }},
};

std::string graph_handlers(Driver&) {
    std::string out;
    for (const GraphRow& row : graph_rows) out += std::string{row.name} + "\t" + (row.read ? "r" : "w") + "\n";
    return out;
}

template <typename Rows>
const auto* find_row(const Rows& rows, std::string_view name) {
    const auto found = std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.name == name; });
    return found == std::end(rows) ? nullptr : &*found;
}

Element* find_element(Driver& driver, const Element* from, std::string_view name) {
    std::string scope{from ? name_scope(from->name()) : std::string_view{}};
    while (true) {
        if (Element* found = driver.router().find(scope + std::string{name})) return found;
        if (scope.empty()) return nullptr;
        scope.pop_back();
        scope = name_scope(scope);
    }
}

Answer no_handler(const HandlerPath& path, std::string_view kind) {
    return {false, "no " + std::string{kind} + " handler `" + path.name() + "`"};
}

std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
    std::size_t begin = 0;
    while (begin < text.size() && blank(text[begin])) ++begin;
    std::size_t end = begin;
    while (end < text.size() && !blank(text[end])) ++end;
    std::size_t rest = end;
    while (rest < text.size() && blank(text[rest])) ++rest;
    return {slice(text, begin, end - begin), slice(text, rest)};
}

std::string unquoted(std::string_view text) {
    Arena arena;
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\t')) text.remove_suffix(1);
    return std::string{unquote(text, arena)};
}

}  // namespace

std::string HandlerPath::name() const { return element ? std::string{element->name()} + "." + handler : handler; }

Answer find_path(Driver& driver, const Element* from, std::string_view path, HandlerPath& found) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) {
        found = {nullptr, std::string{path}};
        return {};
    }
    found = {find_element(driver, from, slice(path, 0, dot)), std::string{slice(path, dot + 1)}};
    if (!found.element) return {false, "no element `" + std::string{slice(path, 0, dot)} + "`"};
    return {};
}

Answer read_handler(Driver& driver, const HandlerPath& path, std::string_view argument) {
    if (!path.element) {
        const GraphRow* row = find_row(graph_rows, path.handler);
        return row && row->read ? Answer{true, row->read(driver)} : no_handler(path, "read");
    }
    const NameInfo::Use names{driver.router().names(), path.element->name()};
    if (Script* script = Script::of(path.element))
        if (Answer answer; script->read_own(path.handler, argument, answer)) return answer;
    static std::vector<char> buffer(longest_answer);
    Text out{buffer};
    const Handler* handler = path.element->element_class().handler(path.handler);
    if (handler && handler->query) {
        const Status status = handler->query(*path.element, argument, out);
        if (!status.ok()) return {false, path.name() + ": " + status.error().text};
        return {true, std::string{out.view()}};
    }
    if (handler && handler->read) return handler->read(*path.element, out), Answer{true, std::string{out.view()}};
    const ElementRow* row = handler ? nullptr : find_row(element_rows, path.handler);
    return row ? Answer{true, row->read(*path.element)} : no_handler(path, "read");
}

Answer write_handler(Driver& driver, const HandlerPath& path, std::string_view value) {
    if (!path.element) {
        const GraphRow* row = find_row(graph_rows, path.handler);
        return row && row->write ? row->write(driver, value), Answer{} : no_handler(path, "write");
    }
    const NameInfo::Use names{driver.router().names(), path.element->name()};
    if (Script* script = Script::of(path.element))
        if (Answer answer; script->write_own(path.handler, value, answer)) return answer;
    const Handler* handler = path.element->element_class().handler(path.handler);
    if (!handler || !handler->write) return no_handler(path, "write");
    const Status status = handler->write(*path.element, value);
    if (!status.ok()) return {false, path.name() + ": " + status.error().text};
    return {};
}

bool has_read(Driver&, const HandlerPath& path) {
    if (!path.element) {
        const GraphRow* row = find_row(graph_rows, path.handler);
        return row && row->read;
    }
    const Handler* handler = path.element->element_class().handler(path.handler);
    return handler ? handler->read || handler->query : find_row(element_rows, path.handler) != nullptr;
}

bool has_write(Driver&, const HandlerPath& path) {
    if (!path.element) {
        const GraphRow* row = find_row(graph_rows, path.handler);
        return row && row->write;
    }
    const Handler* handler = path.element->element_class().handler(path.handler);
    return handler && handler->write;
}

Answer call_read(Driver& driver, const Element* from, std::string_view call) {
    const auto [name, argument] = first_word(call);
    HandlerPath path;
    if (Answer found = find_path(driver, from, name, path); !found.ok) return found;
    return read_handler(driver, path, unquoted(argument));
}

Answer call_write(Driver& driver, const Element* from, std::string_view call) {
    const auto [name, value] = first_word(call);
    HandlerPath path;
    if (Answer found = find_path(driver, from, name, path); !found.ok) return found;
    return write_handler(driver, path, unquoted(value));
}

std::string flat_configuration(const Router& router) {
    std::string out;
    for (const Element* element : router.elements()) {
        out += std::string{element->name()} + " :: " + std::string{element->class_name()};
        out += element->configuration().empty() ? ";\n" : "(" + std::string{element->configuration()} + ");\n";
    }
    out += "\n";
    const auto side = [](const Element& element, unsigned port, bool output) {
        const std::string number = port == 0 ? "" : "[" + std::to_string(port) + "]";
        return output ? std::string{element.name()} + (number.empty() ? "" : " " + number) : (number.empty() ? "" : number + " ") + std::string{element.name()};
    };
    for (const Element* element : router.elements()) {
        for (unsigned i = 0; i < element->outputs(); ++i)
            if (const Port& port = element->output(i); port.connected())
                out += side(*element, i, true) + " -> " + side(*port.peer(), port.peer_port(), false) + ";\n";
        for (unsigned i = 0; i < element->inputs(); ++i)
            if (const Port& port = element->input(i); port.connected())
                out += side(*port.peer(), port.peer_port(), true) + " -> " + side(*element, i, false) + ";\n";
    }
    return out;
}

}  // namespace unibpf::click
