// Parser: tokens of Click's configuration language to syntax trees (click(5); Kohler et al., TOCS 2000, section 2).
//
//   statement  = declaration | chain | elementclass | define | require | ";"
//   declaration = name {"," name} "::" class
//   chain      = element [port] {"->" [port] element [port]}
//   element    = name | name "::" class | class
//   class      = (identifier | "{" body "}") ["(" configuration ")"]
//   elementclass = "elementclass" identifier (identifier | "{" [formals "|"] body "}")
//
// A name may be used before its declaration. A class means what it meant where it was written, so a compound cannot
// contain itself. After a fault the parser goes on at the next `;`, and always gets forward.
#pragma once

#include "guest/graph/lexer.hpp"
#include "guest/graph/name_table.hpp"
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
    struct End {  // one side of an arrow
        ElementSyntax* element = nullptr;
        std::uint32_t in_port = 0;
        std::uint32_t out_port = 0;
        const char* in_port_at = nullptr;
        const char* out_port_at = nullptr;
    };
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
    void skip_block();
    void formals(CompoundSyntax& compound);
    void define(BodySyntax& body);
    void require();
    void chain(BodySyntax& body, unsigned depth);
    void expect_no_arrow();
    bool name_list(BodySyntax& body, const Token& first, unsigned depth);
    bool end(BodySyntax& body, unsigned depth, End& end);
    ElementSyntax* element(BodySyntax& body, unsigned depth);
    ElementSyntax* named_use(BodySyntax& body, const Token& name);
    ClassUse class_use(BodySyntax& body, unsigned depth);
    bool config(ClassUse& use);
    bool port(std::uint32_t& port, const char*& at);

    ElementSyntax* declare(BodySyntax& body, const Token& name, const ClassUse& use);
    ElementSyntax* anonymous(BodySyntax& body, const char* at, const ClassUse& use);
    ElementSyntax* add(BodySyntax& body, const ElementSyntax& element);
    void add_pseudo(BodySyntax& body, std::string_view name, ElementRole role, const char* at);
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
