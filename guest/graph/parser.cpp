#include "guest/graph/parser.hpp"

#include <algorithm>

#include "guest/graph/config.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_uses = 2 * max_elements;  // names used before their declaration count twice

bool is_number(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// True when the list of connections must end here.
bool ends_body(const Token& token) { return token.is(TokenKind::end) || token.is(TokenKind::close_brace); }

}  // namespace

Parser::Parser(BuildContext& context, const Registry& registry)
    : context_{context}, registry_{registry}, lexer_{context.source.text()}, names_{context.scratch}, classes_{context.scratch} {}

const BodySyntax& Parser::parse() {
    auto* graph = context_.scratch.create<BodySyntax>();
    static const BodySyntax no_body;
    if (!graph) return no_body;
    body(*graph, 0);
    while (!lexer_.peek().is(TokenKind::end)) {
        unexpected("a statement");
        lexer_.next();
        body(*graph, 0);
    }
    resolve(*graph);
    return *graph;
}

void Parser::body(BodySyntax& body, unsigned depth) {
    while (!ends_body(lexer_.peek())) statement(body, depth);
}

void Parser::statement(BodySyntax& body, unsigned depth) {
    const Token token = lexer_.peek();
    if (token.is(TokenKind::semicolon)) {
        lexer_.next();
    } else if (token.text == "elementclass") {
        element_class(body, depth);
    } else if (token.text == "define") {
        define(body);
    } else if (token.text == "require") {
        require();
    } else if (token.is(TokenKind::identifier) || token.is(TokenKind::open_brace) || token.is(TokenKind::open_bracket)) {
        chain(body, depth);
    } else {
        unexpected("a statement");
        recover();
    }
}

// --- classes ----------------------------------------------------------------------------------------------------------

void Parser::element_class(BodySyntax& body, unsigned depth) {
    lexer_.next();
    const Token name = lexer_.next();
    if (!name.is(TokenKind::identifier)) {
        context_.error(name.text.data(), "expected a class name after `elementclass`");
        return recover();
    }
    const Token definition = lexer_.peek();
    if (definition.is(TokenKind::open_brace)) {
        if (const CompoundSyntax* made = compound(body, name.text, depth)) classes_.put(&body, name.text, {nullptr, made});
    } else if (definition.is(TokenKind::identifier)) {
        lexer_.next();
        const ClassRef type = find_class(body, definition.text);
        if (type.known()) classes_.put(&body, name.text, type);
        else context_.error(definition.text.data(), "unknown element class `", definition.text, "`");
    } else {
        unexpected("`{` or a class name");
        recover();
    }
}

const CompoundSyntax* Parser::compound(BodySyntax& parent, std::string_view name, unsigned depth) {
    const Token brace = lexer_.next();
    auto* made = context_.scratch.create<CompoundSyntax>();
    if (!made) return nullptr;
    if (depth == max_braces) {
        context_.error(brace.text.data(), "compounds nest deeper than ", max_braces);
        skip_block();
        return nullptr;
    }
    made->name = name;
    made->at = brace.text.data();
    made->body.parent = &parent;
    formals(*made);
    add_pseudo(made->body, "input", ElementRole::input, made->at);
    add_pseudo(made->body, "output", ElementRole::output, made->at);
    body(made->body, depth + 1);
    resolve(made->body);
    if (!expect(TokenKind::close_brace, "`}`")) return nullptr;
    return made;
}

// Standing after a `{`: on to after its `}`.
void Parser::skip_block() {
    for (unsigned open = 1; open > 0 && !lexer_.peek().is(TokenKind::end);) {
        const Token token = lexer_.next();
        if (token.is(TokenKind::open_brace)) ++open;
        if (token.is(TokenKind::close_brace)) --open;
    }
}

// `$a, KEYWORD $b |`; nothing when the body starts with a statement.
void Parser::formals(CompoundSyntax& compound) {
    Lexer ahead = lexer_;
    List<FormalSyntax> formals;
    for (;;) {
        FormalSyntax formal;
        Token token = ahead.next();
        if (token.is(TokenKind::bar)) break;  // `{ | ...`, or after a last comma
        if (token.is(TokenKind::identifier)) {
            formal.keyword = token.text;
            token = ahead.next();
        }
        if (!token.is(TokenKind::variable)) return;  // no formals: the lexer has not moved
        formal.variable = slice(token.text, 1);
        formals.append(context_.scratch, formal);
        token = ahead.next();
        if (token.is(TokenKind::bar)) break;
        if (!token.is(TokenKind::comma)) {
            context_.error(token.text.data(), "got `", token.text, "`, expected `,` or `|` after `$", formal.variable, "`");
            break;
        }
    }
    lexer_ = ahead;
    compound.formals = formals;
}

Parser::ClassUse Parser::class_use(BodySyntax& body, unsigned depth) {
    ClassUse use;
    const Token token = lexer_.peek();
    if (token.is(TokenKind::open_brace)) {
        use.name = "@compound";
        use.type.compound = compound(body, use.name, depth);
    } else if (token.is(TokenKind::identifier)) {
        lexer_.next();
        use.name = token.text;
        use.type = find_class(body, token.text);
        if (!use.type.known()) context_.error(token.text.data(), "unknown element class `", token.text, "`");
    } else {
        unexpected("an element class");
        return use;
    }
    use.ok = config(use);
    return use;
}

bool Parser::config(ClassUse& use) {
    if (!lexer_.peek().is(TokenKind::open_paren)) return true;
    const Token open = lexer_.next();
    const Lexer::ConfigString string = lexer_.config_string();
    use.config = string.text;
    use.config_at = string.text.data();
    if (!string.closed) context_.error(open.text.data(), "`(` is never closed");
    return string.closed;
}

ClassRef Parser::find_class(const BodySyntax& body, std::string_view name) const {
    for (const BodySyntax* scope = &body; scope; scope = scope->parent)
        if (const ClassRef* type = classes_.find(scope, name)) return *type;
    return {registry_.find(name), nullptr};
}

// --- define and require -----------------------------------------------------------------------------------------------

void Parser::define(BodySyntax& body) {
    const Token word = lexer_.next();
    if (!expect(TokenKind::open_paren, "`(`")) return recover();
    const Lexer::ConfigString string = lexer_.config_string();
    if (!string.closed) return context_.error(word.text.data(), "`(` is never closed");
    for (std::string_view argument : split_config(string.text, context_.scratch)) {
        Lexer inside{argument};
        const Token variable = inside.next();
        if (!variable.is(TokenKind::variable)) {
            context_.error(argument.empty() ? word.text.data() : argument.data(), "got `", argument, "`, expected `$NAME value`");
            continue;
        }
        const char* end = argument.data() + argument.size();
        const char* value = skip_blanks(variable.text.data() + variable.text.size(), end);
        body.defines.append(context_.scratch,
                            {slice(variable.text, 1), {value, static_cast<std::size_t>(end - value)}, variable.text.data()});
    }
}

// Packages hold element classes; all of ours are in the guest, which is the package `unibpf`.
void Parser::require() {
    const Token word = lexer_.next();
    if (!expect(TokenKind::open_paren, "`(`")) return recover();
    const Lexer::ConfigString string = lexer_.config_string();
    if (!string.closed) return context_.error(word.text.data(), "`(` is never closed");
    for (std::string_view argument : split_config(string.text, context_.scratch)) {
        const std::string_view package = unquote(argument, context_.scratch);
        if (package != "unibpf" && package != "package unibpf")
            context_.error(word.text.data(), "package `", package, "` is not available");
    }
}

// --- elements and connections -----------------------------------------------------------------------------------------

void Parser::chain(BodySyntax& body, unsigned depth) {
    End from;
    if (!end(body, depth, from)) return recover();
    if (from.element == nullptr) return expect_no_arrow();
    if (from.in_port_at) context_.error(from.in_port_at, "an input port needs `->` before it");
    while (lexer_.peek().is(TokenKind::arrow)) {
        const char* arrow = lexer_.next().text.data();
        End to;
        if (!end(body, depth, to)) return recover();
        if (to.element == nullptr) {
            context_.error(arrow, "`->` cannot lead to a list of names");
            return recover();
        }
        body.connections.append(context_.scratch, {from.element, from.out_port, to.element, to.in_port, arrow});
        from = to;
    }
    if (from.out_port_at) context_.error(from.out_port_at, "an output port needs `->` after it");
}

// After a list of names.
void Parser::expect_no_arrow() {
    if (!lexer_.peek().is(TokenKind::arrow)) return;
    context_.error(lexer_.peek().text.data(), "`->` cannot start at a list of names");
    recover();
}

bool Parser::end(BodySyntax& body, unsigned depth, End& end) {
    if (!port(end.in_port, end.in_port_at)) return false;
    if (lexer_.peek().is(TokenKind::identifier)) {
        Lexer ahead = lexer_;
        const Token name = ahead.next();
        if (ahead.peek().is(TokenKind::comma)) {
            lexer_ = ahead;
            return name_list(body, name, depth);
        }
    }
    end.element = element(body, depth);
    return end.element && port(end.out_port, end.out_port_at);
}

// `a, b :: Class(...)`, standing at the first comma.
bool Parser::name_list(BodySyntax& body, const Token& first, unsigned depth) {
    List<Token> names;
    names.append(context_.scratch, first);
    while (lexer_.peek().is(TokenKind::comma)) {
        lexer_.next();
        const Token name = lexer_.next();
        if (!name.is(TokenKind::identifier)) return context_.error(name.text.data(), "expected an element name after `,`"), false;
        names.append(context_.scratch, name);
    }
    if (!expect(TokenKind::colons, "`::`")) return false;
    const ClassUse use = class_use(body, depth);
    if (!use.ok) return false;
    for (const Token& name : names) declare(body, name, use);
    return true;
}

ElementSyntax* Parser::element(BodySyntax& body, unsigned depth) {
    const Token token = lexer_.peek();
    if (token.is(TokenKind::open_brace)) {
        const ClassUse use = class_use(body, depth);
        return use.ok ? anonymous(body, token.text.data(), use) : nullptr;
    }
    if (!token.is(TokenKind::identifier)) return unexpected("an element"), nullptr;
    Lexer ahead = lexer_;
    ahead.next();
    if (ahead.peek().is(TokenKind::colons)) {
        ahead.next();
        lexer_ = ahead;
        const ClassUse use = class_use(body, depth);
        return use.ok ? declare(body, token, use) : nullptr;
    }
    if (ahead.peek().is(TokenKind::open_paren)) {
        const ClassUse use = class_use(body, depth);
        return use.ok ? anonymous(body, token.text.data(), use) : nullptr;
    }
    lexer_.next();
    return named_use(body, token);
}

// A bare name: an element, declared before or later, or an anonymous element of that class. `resolve` decides the latter.
ElementSyntax* Parser::named_use(BodySyntax& body, const Token& name) {
    if (ElementSyntax** known = names_.find(&body, name.text)) return *known;
    ElementSyntax use;
    use.at = use.config_at = name.text.data();
    use.type = find_class(body, name.text);
    use.name = name.text;
    use.alias = &use;  // marks it as open until resolve
    ElementSyntax* made = add(body, use);
    if (made) made->alias = made;
    return made;
}

ElementSyntax* Parser::declare(BodySyntax& body, const Token& name, const ClassUse& use) {
    const char* at = name.text.data();
    if (is_number(name.text)) context_.error(at, "element name `", name.text, "` is a number");
    if (name.text.size() > longest_element_name) context_.error(at, "element name is longer than ", longest_element_name, " bytes");
    if (names_.find(&body, name.text)) context_.error(at, "element `", name.text, "` is declared twice");
    ElementSyntax element{.name = name.text, .type = use.type, .config = use.config, .at = at};
    element.config_at = use.config_at ? use.config_at : at;
    ElementSyntax* made = add(body, element);
    if (made) names_.put(&body, name.text, made);
    return made;
}

ElementSyntax* Parser::anonymous(BodySyntax& body, const char* at, const ClassUse& use) {
    ElementSyntax element{.name = {}, .type = use.type, .config = use.config, .at = at};
    element.config_at = use.config_at ? use.config_at : at;
    ElementSyntax* made = add(body, element);
    if (made) made->name = use.name;  // `resolve` makes it `Class@N`
    return made;
}

ElementSyntax* Parser::add(BodySyntax& body, const ElementSyntax& element) {
    if (++use_count_ > max_uses) {
        if (use_count_ == max_uses + 1) context_.error(element.at, "more than ", max_uses, " elements");
        return nullptr;
    }
    auto* made = context_.scratch.create<ElementSyntax>(element);
    if (!made) return nullptr;
    made->index = static_cast<std::uint32_t>(body.elements.size());
    body.elements.append(context_.scratch, made);
    return made;
}

void Parser::add_pseudo(BodySyntax& body, std::string_view name, ElementRole role, const char* at) {
    ElementSyntax* made = add(body, {.name = name, .type = {}, .config = {}, .at = at, .config_at = at, .role = role});
    if (made) names_.put(&body, name, made);
}

// At the end of a body every declaration is known: bare names become elements, anonymous elements get names.
void Parser::resolve(BodySyntax& body) {
    for (ElementSyntax* element : body.elements) {
        ElementSyntax** declared = names_.find(&body, element->name);
        if (declared && *declared == element) continue;
        if (element->alias && declared) {
            element->alias = *declared;
            continue;
        }
        if (element->alias && !element->type.known())
            context_.error(element->at, "`", element->name, "` is neither a declared element nor an element class");
        element->alias = nullptr;
        char buffer[longest_element_name + 12];
        Text name{buffer};
        std::uint64_t number = element->index + 1;
        do {
            name = Text{buffer};
            name.put(slice(element->name, 0, longest_element_name)).put('@').number(number++);
        } while (names_.find(&body, name.view()));
        element->name = context_.lasting.copy(name.view());
    }
}

// `[3]`, or nothing.
bool Parser::port(std::uint32_t& port, const char*& at) {
    if (!lexer_.peek().is(TokenKind::open_bracket)) return true;
    at = lexer_.next().text.data();
    const Token number = lexer_.next();
    if (!number.is(TokenKind::identifier) || !is_number(number.text)) {
        context_.error(number.text.data(), "got `", number.text, "`, expected a port number");
        return false;
    }
    for (char c : number.text) port = port < max_ports ? port * 10 + static_cast<std::uint32_t>(c - '0') : port;
    if (port >= max_ports) {
        context_.error(number.text.data(), "got port ", number.text, ", expected less than ", max_ports);
        return false;
    }
    return expect(TokenKind::close_bracket, "`]`");
}

// --- faults -----------------------------------------------------------------------------------------------------------

bool Parser::expect(TokenKind kind, std::string_view what) {
    if (lexer_.peek().is(kind)) return lexer_.next(), true;
    unexpected(what);
    return false;
}

void Parser::unexpected(std::string_view expected) {
    const Token& token = lexer_.peek();
    if (token.is(TokenKind::end)) context_.error(token.text.data(), "the text ends here, expected ", expected);
    else context_.error(token.text.data(), "got `", token.text, "`, expected ", expected);
}

// On to the end of the statement; stays before `;` and `}`, which mean something to the caller.
void Parser::recover() {
    while (!ends_body(lexer_.peek()) && !lexer_.peek().is(TokenKind::semicolon)) lexer_.next();
}

}  // namespace unibpf
