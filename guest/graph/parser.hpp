// Parser: tokens of Click's configuration language to syntax trees (click(5); Kohler et al., TOCS 2000, section 2).
//
//   statement  = chain | elementclass | define | require | provide | tunnel | ";"
//   chain      = group {("->" | "=>") group}
//   group      = end {"," end}
//   end        = [ports] element [ports]
//   ports      = "[" number {"," number} "]"
//   element    = name | name {"," name} "::" class | class
//   class      = (identifier | "{" compound "}") ["(" configuration ")"]
//   compound   = [formals "|"] body {"||" ([formals "|"] body | "...")}
//   elementclass = "elementclass" identifier (identifier | "{" compound "}")
//   tunnel     = "connectiontunnel" name "->" name
//
// `->` joins every output of its left group with every input of its right one, or one with one where both have lists of the
// same length; `=>` joins one with one and numbers the ports of an element that has no list.
//
// A name may be used before its declaration. A class means what it meant where it was written, so a compound cannot
// contain itself. After a fault the parser goes on at the next `;`, and always gets forward.
#pragma once

#include "guest/graph/lexer.hpp"
#include "guest/graph/names/name_table.hpp"
#include "guest/graph/router.hpp"
#include "guest/graph/source.hpp"
#include "guest/graph/syntax.hpp"

namespace unibpf {

class Parser {
  public:
    static constexpr unsigned max_braces = 16;

    Parser(BuildContext& context, const Registry& registry);

    // The whole graph. Trust it only when `context.errors` is empty.
    const BodySyntax& parse();

  private:
    struct Ports {  // empty: the element has no list, which means port 0
        List<std::uint32_t> list;
        const char* at = nullptr;
    };
    struct End {  // an element in a chain
        ElementSyntax* element = nullptr;
        Token name;  // of an element that is a bare name so far
        Ports in;
        Ports out;
    };
    struct Socket {
        ElementSyntax* element;
        std::uint32_t port;
    };
    using Group = List<End>;
    struct ClassUse {
        ClassRef type;
        std::string_view name;
        std::string_view config;
        const char* config_at = nullptr;
        bool ok = false;
    };

    void body(BodySyntax& body, unsigned depth);
    void statement(BodySyntax& body, unsigned depth);
    void element_class(BodySyntax& body, unsigned depth);
    const CompoundSyntax* compound(BodySyntax& parent, std::string_view name, unsigned depth);
    CompoundSyntax* overload(BodySyntax& parent, std::string_view name, const char* at, unsigned depth);
    void skip_block();
    void formals(CompoundSyntax& compound);
    void define(BodySyntax& body);
    void require();
    void provide();
    void tunnel(BodySyntax& body);
    void chain(BodySyntax& body, unsigned depth);
    bool group(BodySyntax& body, unsigned depth, Group& group);
    bool end(BodySyntax& body, unsigned depth, Group& group, End& end);
    void settle(BodySyntax& body, Group& group);
    void check_no_ports(const Group& group, bool inputs);
    List<Socket> sockets(const Group& group, bool inputs, std::size_t others);
    void connect(BodySyntax& body, const Group& from, const Group& to, const Token& arrow);
    bool element(BodySyntax& body, unsigned depth, Group& group, End& end);
    ElementSyntax* named_use(BodySyntax& body, const Token& name);
    ClassUse class_use(BodySyntax& body, unsigned depth);
    bool config(ClassUse& use);
    bool ports(Ports& ports);
    void unknown_class(const Token& name);
    void unknown_name(const ElementSyntax& use);

    ElementSyntax* declare(BodySyntax& body, const Token& name, const ClassUse& use);
    ElementSyntax* anonymous(BodySyntax& body, const char* at, const ClassUse& use);
    ElementSyntax* add(BodySyntax& body, const ElementSyntax& element);
    ElementSyntax* add_pseudo(BodySyntax& body, std::string_view name, ElementRole role, const char* at);
    void resolve(BodySyntax& body);
    ClassRef find_class(const BodySyntax& body, std::string_view name) const;

    bool expect(TokenKind kind, std::string_view what);
    void unexpected(std::string_view expected);
    void recover();

    BuildContext& context_;
    const Registry& registry_;
    Lexer lexer_;
    NameTable<ElementSyntax*> names_;
    NameTable<ClassRef> classes_;
    std::uint32_t use_count_ = 0;
};

}  // namespace unibpf
