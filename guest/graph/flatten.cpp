#include "guest/graph/flatten.hpp"

#include <iterator>

#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

// The scope in which a compound was defined: a compound sees the variables of the text around it, not of its user.
const Scope* defining_scope(const Scope& use, const BodySyntax* parent) {
    for (const Scope* scope = &use; scope; scope = scope->outer)
        if (scope->body == parent) return scope;
    return nullptr;
}

const ElementSyntax& declared(const ElementSyntax& element) { return element.alias ? *element.alias : element; }

bool is_blank_byte(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

// The argument that is the formal's value; arguments.size() when there is none. A positional formal takes the next argument
// that starts with no keyword which another formal has.
std::size_t find_argument(const FormalSyntax& formal, std::span<const std::string_view> arguments, std::span<const bool> used) {
    for (std::size_t i = 0; i < arguments.size(); ++i)
        if (i < used.size() && !used[i] && leading_keyword(arguments[i]) == formal.keyword) return i;
    return arguments.size();
}

bool takes(const CompoundSyntax& compound, std::span<const std::string_view> arguments) {
    bool used[64] = {};
    if (arguments.size() > std::size(used)) return false;
    std::size_t count = 0;
    for (const FormalSyntax& formal : compound.formals) {
        if (formal.keyword == rest_keyword) return true;
        const std::size_t found = find_argument(formal, arguments, used);
        if (found == arguments.size()) return false;
        used[found] = true;
        ++count;
    }
    return count == arguments.size();
}

// How many ports of `element` the body's connections use, on that side.
std::uint32_t used_ports(const ElementSyntax& element, const BodySyntax& body, bool outputs) {
    std::uint32_t count = 0;
    for (const ConnectionSyntax& connection : body.connections) {
        const ElementSyntax& end = declared(outputs ? *connection.from : *connection.to);
        const std::uint32_t port = outputs ? connection.from_port : connection.to_port;
        if (&end == &element && port >= count) count = port + 1;
    }
    return count;
}

bool uses_same_ports(const ElementSyntax& use, const BodySyntax& body, const CompoundSyntax& compound) {
    const ElementSyntax* sides[2] = {};
    for (const ElementSyntax* element : compound.body.elements) {
        if (element->role == ElementRole::input) sides[0] = element;
        if (element->role == ElementRole::output) sides[1] = element;
    }
    return sides[0] && sides[1] && used_ports(use, body, false) == used_ports(*sides[0], compound.body, true) &&
           used_ports(use, body, true) == used_ports(*sides[1], compound.body, false);
}

// Why the only meaning of a compound does not take the arguments.
void report_arguments(const ElementSyntax& use, std::span<const std::string_view> arguments, BuildContext& context) {
    bool used[64] = {};
    const CompoundSyntax& compound = *use.type.compound;
    std::size_t count = 0;
    for (const FormalSyntax& formal : compound.formals) {
        if (formal.keyword == rest_keyword) continue;
        const std::size_t found = find_argument(formal, arguments, used);
        if (found < arguments.size()) used[found] = true, ++count;
        else context.error(use.at, "`", use.name, "`: missing argument `$", formal.variable, "`");
    }
    if (count < arguments.size())
        context.error(use.config_at, "`", use.name, "`: got ", arguments.size(), " arguments, expected ", compound.formals.size());
}

}  // namespace

FlatGraph Flattener::flatten(const BodySyntax& graph, std::span<const Binding> given) {
    Scope scope;
    for (const Binding& binding : given) scope.bindings.append(context_.scratch, binding);
    expand(graph, scope, {}, {}, 0);
    if (!context_.errors.empty()) return {};
    return remove_tunnels(elements_.to_span(context_.scratch), connections_.to_span(context_.scratch), context_);
}

void Flattener::expand(const BodySyntax& body, Scope& scope, std::string_view prefix, Node self, unsigned depth) {
    scope.body = &body;
    for (const DefineSyntax& define : body.defines)
        scope.bindings.append(context_.scratch, {define.variable, substitution_.apply(define.value, scope, define.at)});
    const std::span<Node> nodes = context_.scratch.array<Node>(body.elements.size());
    if (nodes.size() < body.elements.size()) return;
    for (const ElementSyntax* element : body.elements) {
        Node& node = nodes[element->index];
        if (element->role == ElementRole::input) node.out = self.in;
        else if (element->role == ElementRole::output) node.in = self.out;
        else if (element->role == ElementRole::tunnel_in) node.in = add({element->name, nullptr, {}, element->at, element->at});
        else if (element->role == ElementRole::tunnel_out) node.out = element->partner ? nodes[element->partner->index].in : no_index;
        else if (!element->alias) node = instantiate(*element, body, scope, prefix, depth);
    }
    for (const ConnectionSyntax& connection : body.connections) connect(connection, nodes);
}

Flattener::Node Flattener::instantiate(const ElementSyntax& element, const BodySyntax& body, const Scope& scope,
                                       std::string_view prefix, unsigned depth) {
    const std::string_view name = full_name(prefix, element);
    if (name.empty()) return {};
    const std::string_view config = substitution_.apply(element.config, scope, element.config_at);
    const std::span<std::string_view> arguments = split_config(config, context_.scratch).to_span(context_.scratch);
    const ClassRef type = choose(element, arguments, body);
    if (!type.known()) return {};
    FlatElement flat{name, type.row, config, element.at, element.config_at};
    const std::uint32_t in = add(flat);
    const CompoundSyntax* compound = type.compound;
    if (!compound || in == no_index) return {in, in};
    const Node tunnels{in, add(flat)};
    if (depth == max_nesting) {
        context_.error(element.at, "compounds nest deeper than ", max_nesting);
        return tunnels;
    }
    Scope inner;
    inner.outer = defining_scope(scope, compound->body.parent);
    bind(*compound, arguments, inner);
    expand(compound->body, inner, flat.name, tunnels, depth + 1);
    return tunnels;
}

// The first of a compound's overloads that takes the arguments, and of those one with the ports that are used if there is one.
ClassRef Flattener::choose(const ElementSyntax& element, std::span<const std::string_view> arguments, const BodySyntax& body) {
    ClassRef chosen;
    std::size_t overloads = 0;
    for (ClassRef at = element.type; at.known(); at = at.compound ? at.compound->otherwise : ClassRef{}, ++overloads) {
        if (at.row) return chosen.known() ? chosen : at;
        if (!takes(*at.compound, arguments)) continue;
        if (uses_same_ports(element, body, *at.compound)) return at;
        if (!chosen.known()) chosen = at;
    }
    if (chosen.known()) return chosen;
    if (overloads > 1) context_.error(element.config_at, "`", element.name, "`: none of ", overloads, " overloads takes ", arguments.size(), " arguments");
    else report_arguments(element, arguments, context_);
    return {};
}

// Of `takes(compound, arguments)`.
void Flattener::bind(const CompoundSyntax& compound, std::span<const std::string_view> arguments, Scope& inner) {
    const std::span<bool> used = context_.scratch.array<bool>(arguments.size());
    if (used.size() < arguments.size()) return;
    for (const FormalSyntax& formal : compound.formals) {
        if (formal.keyword == rest_keyword) {
            inner.bindings.append(context_.scratch, {formal.variable, join(arguments, used)});
            continue;
        }
        const std::size_t found = find_argument(formal, arguments, used);
        if (found == arguments.size()) continue;  // no memory for `used`
        used[found] = true;
        std::string_view value = slice(arguments[found], formal.keyword.size());
        while (!formal.keyword.empty() && !value.empty() && is_blank_byte(value[0])) value.remove_prefix(1);
        inner.bindings.append(context_.scratch, {formal.variable, value});
    }
}

// What is left, with commas between, as it would be written.
std::string_view Flattener::join(std::span<const std::string_view> arguments, std::span<const bool> used) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < arguments.size(); ++i) size += used[i] ? 0 : arguments[i].size() + 2;
    const std::span<char> memory = context_.lasting.array<char>(size);
    if (memory.empty()) return {};
    Text text{memory};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (used[i]) continue;
        if (!text.view().empty()) text.put(", ");
        text.put(arguments[i]);
    }
    return text.view();
}

void Flattener::connect(const ConnectionSyntax& connection, std::span<const Node> nodes) {
    const ElementSyntax& from = declared(*connection.from);
    const ElementSyntax& to = declared(*connection.to);
    if (from.role == ElementRole::tunnel_in) return context_.error(connection.at, "`", from.name, "` has no outputs: it is the entrance of a tunnel");
    if (to.role == ElementRole::tunnel_out) return context_.error(connection.at, "`", to.name, "` has no inputs: it is the exit of a tunnel");
    if (from.role == ElementRole::output) return context_.error(connection.at, "`output` of a compound has no outputs");
    if (to.role == ElementRole::input) return context_.error(connection.at, "`input` of a compound has no inputs");
    const FlatConnection flat{nodes[from.index].out, connection.from_port, nodes[to.index].in, connection.to_port, connection.at};
    if (flat.from == no_index || flat.to == no_index) return;  // already reported
    if (connections_.size() == max_connections) return context_.error(connection.at, "more than ", max_connections, " connections");
    connections_.append(context_.scratch, flat);
}

std::uint32_t Flattener::add(const FlatElement& element) {
    if (elements_.size() >= max_elements) {
        context_.error(element.at, "more than ", max_elements, " elements");
        return no_index;
    }
    elements_.append(context_.scratch, element);
    return static_cast<std::uint32_t>(elements_.size() - 1);
}

std::string_view Flattener::full_name(std::string_view prefix, const ElementSyntax& element) {
    if (prefix.empty()) return element.name;
    char buffer[longest_element_name];
    Text name{buffer};
    name.put(prefix).put('/').put(element.name);
    if (name.overflowed()) {
        context_.error(element.at, "`", name.view(), "...` is longer than ", longest_element_name, " bytes");
        return {};
    }
    return context_.lasting.copy(name.view());
}

}  // namespace unibpf
