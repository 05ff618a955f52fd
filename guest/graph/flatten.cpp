#include "guest/graph/flatten.hpp"

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

}  // namespace

FlatGraph Flattener::flatten(const BodySyntax& graph) {
    Scope scope;
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
        else if (!element->alias) node = instantiate(*element, scope, prefix, depth);
    }
    for (const ConnectionSyntax& connection : body.connections) connect(connection, nodes);
}

Flattener::Node Flattener::instantiate(const ElementSyntax& element, const Scope& scope, std::string_view prefix, unsigned depth) {
    const std::string_view name = full_name(prefix, element);
    if (name.empty()) return {};
    const std::string_view config = substitution_.apply(element.config, scope, element.config_at);
    FlatElement flat{name, element.type.row, config, element.at, element.config_at};
    const std::uint32_t in = add(flat);
    const CompoundSyntax* compound = element.type.compound;
    if (!compound || in == no_index) return {in, in};
    const Node tunnels{in, add(flat)};
    if (depth == max_nesting) {
        context_.error(element.at, "compounds nest deeper than ", max_nesting);
        return tunnels;
    }
    Scope inner;
    inner.outer = defining_scope(scope, compound->body.parent);
    bind(element, config, inner);
    expand(compound->body, inner, flat.name, tunnels, depth + 1);
    return tunnels;
}

void Flattener::bind(const ElementSyntax& use, std::string_view config, Scope& inner) {
    List<std::string_view> arguments = split_config(config, context_.scratch);
    const std::span<std::string_view> left = arguments.to_span(context_.scratch);
    std::size_t used = 0;
    for (const FormalSyntax& formal : use.type.compound->formals) {
        bool found = false;
        for (std::string_view& argument : left) {
            if (!argument.data() || leading_keyword(argument) != formal.keyword) continue;
            std::string_view value = slice(argument, formal.keyword.size());
            while (!formal.keyword.empty() && !value.empty() && value[0] == ' ') value.remove_prefix(1);
            inner.bindings.append(context_.scratch, {formal.variable, value});
            argument = {};
            ++used;
            found = true;
            break;
        }
        if (!found) context_.error(use.at, "`", use.name, "`: missing argument `$", formal.variable, "`");
    }
    if (used < left.size())
        context_.error(use.config_at, "`", use.name, "`: got ", left.size(), " arguments, expected ", use.type.compound->formals.size());
}

void Flattener::connect(const ConnectionSyntax& connection, std::span<const Node> nodes) {
    const ElementSyntax& from = declared(*connection.from);
    const ElementSyntax& to = declared(*connection.to);
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
