// Flatten: compounds taken apart until only elements of the registry are left, named `compound/element`.
//
// Each use of a compound becomes two tunnels, its `input` and its `output`. Tunnels are then removed by joining what leads
// into a tunnel's port with what leads out of it. Bounded: elements, depth, and the joined connections.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guest/graph/config.hpp"
#include "guest/graph/source.hpp"
#include "guest/graph/syntax.hpp"

namespace unibpf {

struct FlatElement {
    std::string_view name;
    const ElementClass* row = nullptr;
    std::string_view config;  // raw, variables replaced
    const char* at = nullptr;
    const char* config_at = nullptr;
};

struct FlatConnection {
    std::uint32_t from = 0;
    std::uint32_t from_port = 0;
    std::uint32_t to = 0;
    std::uint32_t to_port = 0;
    const char* at = nullptr;
};

struct FlatGraph {
    std::span<FlatElement> elements;
    std::span<FlatConnection> connections;  // from and to are indices of `elements`
};

class Flattener {
  public:
    static constexpr unsigned max_nesting = 16;
    static constexpr std::size_t max_connections = 4096;

    explicit Flattener(BuildContext& context) : context_{context}, substitution_{context} {}
    // `given`: variables from outside, which go before the text's own `define`. Trust it only when `context.errors` is empty.
    FlatGraph flatten(const BodySyntax& graph, std::span<const Binding> given = {});

  private:
    // Where the connections of an element of a body go. Plain elements: in == out; compounds: their two tunnels.
    struct Node {
        std::uint32_t in = no_index;
        std::uint32_t out = no_index;
    };
    static constexpr std::uint32_t no_index = ~std::uint32_t{0};

    void expand(const BodySyntax& body, Scope& scope, std::string_view prefix, Node self, unsigned depth);
    Node instantiate(const ElementSyntax& element, const BodySyntax& body, const Scope& scope, std::string_view prefix, unsigned depth);
    ClassRef choose(const ElementSyntax& element, std::span<const std::string_view> arguments, const BodySyntax& body);
    void bind(const CompoundSyntax& compound, std::span<const std::string_view> arguments, Scope& inner);
    std::string_view join(std::span<const std::string_view> arguments, std::span<const bool> used);
    void connect(const ConnectionSyntax& connection, std::span<const Node> nodes);
    std::uint32_t add(const FlatElement& element);
    // Empty, and an error, when it is too long.
    std::string_view full_name(std::string_view prefix, const ElementSyntax& element);

    BuildContext& context_;
    Substitution substitution_;
    List<FlatElement> elements_;  // tunnels too: those without a row
    List<FlatConnection> connections_;
};

// Joins connections across tunnels (elements without a row) and drops the tunnels.
FlatGraph remove_tunnels(std::span<const FlatElement> elements, std::span<const FlatConnection> connections, BuildContext& context);

}  // namespace unibpf
