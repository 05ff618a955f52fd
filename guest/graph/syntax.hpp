// Syntax: what the parser makes of a graph's text. Trees live in the build's scratch arena; texts point into the source.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/graph/arena.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

struct CompoundSyntax;

// A class that a name stands for: a row of the registry or a compound. Neither: not known.
struct ClassRef {
    const ElementClass* row = nullptr;
    const CompoundSyntax* compound = nullptr;
    bool known() const { return row || compound; }
};

enum class ElementRole : std::uint8_t {
    plain,
    input,
    output,
    tunnel_in,  // `connectiontunnel a -> b`: what goes into `a` ...
    tunnel_out  // ... comes out of `b`
};

struct ElementSyntax {
    std::string_view name;  // generated for anonymous elements: `Class@N`
    ClassRef type;
    std::string_view config;  // raw, between the parentheses
    const char* at = nullptr;
    const char* config_at = nullptr;
    std::uint32_t index = 0;               // among the elements of its body
    ElementRole role = ElementRole::plain;
    const ElementSyntax* alias = nullptr;  // a name used before its declaration: the declaration
    const ElementSyntax* partner = nullptr;  // of a tunnel_out: its tunnel_in
};

struct ConnectionSyntax {
    const ElementSyntax* from;
    std::uint32_t from_port;
    const ElementSyntax* to;
    std::uint32_t to_port;
    const char* at;  // of the arrow
};

struct DefineSyntax {
    std::string_view variable;  // without `$`
    std::string_view value;     // raw
    const char* at;
};

// The statements between two braces, or of the whole graph.
struct BodySyntax {
    const BodySyntax* parent = nullptr;
    List<ElementSyntax*> elements;
    List<ConnectionSyntax> connections;
    List<DefineSyntax> defines;
};

struct FormalSyntax {
    std::string_view keyword;   // empty: positional
    std::string_view variable;  // without `$`
};

struct CompoundSyntax {
    std::string_view name;
    List<FormalSyntax> formals;
    BodySyntax body;
    const char* at = nullptr;
    ClassRef otherwise;  // what is meant when the arguments of a use do not fit: after `||`, or by `...` the class before
};

inline constexpr std::string_view rest_keyword = "__REST__";

}  // namespace unibpf
