#include "guest/graph/parser.hpp"

#include <algorithm>

#include "guest/graph/config.hpp"
#include "guest/graph/names/nearest.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_uses = 2 * max_elements;  // names used before their declaration count twice

bool is_number(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// True when the list of connections must end here.
bool ends_body(const Token& token) {
    return token.is(TokenKind::end) || token.is(TokenKind::close_brace) || token.is(TokenKind::double_bar);
}

bool is_arrow(const Token& token) { return token.is(TokenKind::arrow) || token.is(TokenKind::fat_arrow); }

// Click's packages and features: what is in all of them and here too is in the guest itself.
constexpr std::string_view packages[] = {"unibpf", "click", "userlevel", "compact_config", "int64", "standard", "basic", "ip",
                                         "ethernet", "icmp", "tcpudp", "analysis", "simple", "app", "aqm"};

bool has_package(std::string_view name) { return std::find(std::begin(packages), std::end(packages), name) != std::end(packages); }

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
    } else if (token.text == "provide") {
        provide();
    } else if (token.text == "connectiontunnel") {
        tunnel(body);
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
        else unknown_class(definition);
    } else {
        unexpected("`{` or a class name");
        recover();
    }
}

const CompoundSyntax* Parser::compound(BodySyntax& parent, std::string_view name, unsigned depth) {
    const Token brace = lexer_.next();
    if (depth == max_braces) {
        context_.error(brace.text.data(), "compounds nest deeper than ", max_braces);
        skip_block();
        return nullptr;
    }
    CompoundSyntax* first = overload(parent, name, brace.text.data(), depth);
    CompoundSyntax* last = first;
    while (last && lexer_.peek().is(TokenKind::double_bar)) {
        const char* bar = lexer_.next().text.data();
        if (lexer_.peek().is(TokenKind::ellipsis)) {
            lexer_.next();
            last->otherwise = find_class(parent, name);
            if (!last->otherwise.known()) context_.error(bar, "`...` continues no class: there is no `", name, "` before this one");
            break;
        }
        last->otherwise.compound = overload(parent, name, bar, depth);
        last = const_cast<CompoundSyntax*>(last->otherwise.compound);  // made here, two lines above
    }
    if (!expect(TokenKind::close_brace, "`}`")) return nullptr;
    return first;
}

// `formals | body`
CompoundSyntax* Parser::overload(BodySyntax& parent, std::string_view name, const char* at, unsigned depth) {
    auto* made = context_.scratch.create<CompoundSyntax>();
    if (!made) return nullptr;
    made->name = name;
    made->at = at;
    made->body.parent = &parent;
    formals(*made);
    add_pseudo(made->body, "input", ElementRole::input, made->at);
    add_pseudo(made->body, "output", ElementRole::output, made->at);
    body(made->body, depth + 1);
    resolve(made->body);
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
        if (!use.type.known()) unknown_class(token);
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
        std::string_view words = package;
        std::string_view name = next_word(words);
        if (name == "package" && !words.empty()) name = next_word(words);
        if (!name.empty() && !has_package(name)) context_.error(word.text.data(), "package `", package, "` is not available");
    }
}

// Says what the text gives to others that require it, which nobody does here.
void Parser::provide() {
    const Token word = lexer_.next();
    if (!expect(TokenKind::open_paren, "`(`")) return recover();
    if (!lexer_.config_string().closed) context_.error(word.text.data(), "`(` is never closed");
}

// `connectiontunnel a -> b`
void Parser::tunnel(BodySyntax& body) {
    lexer_.next();
    const Token in = lexer_.peek();
    if (!expect(TokenKind::identifier, "a name") || !expect(TokenKind::arrow, "`->`")) return recover();
    const Token out = lexer_.peek();
    if (!expect(TokenKind::identifier, "a name")) return recover();
    for (const Token& name : {in, out})
        if (names_.find(&body, name.text)) context_.error(name.text.data(), "element `", name.text, "` is declared twice");
    ElementSyntax* first = add_pseudo(body, in.text, ElementRole::tunnel_in, in.text.data());
    ElementSyntax* second = add_pseudo(body, out.text, ElementRole::tunnel_out, out.text.data());
    if (second) second->partner = first;
}

// --- elements and connections -----------------------------------------------------------------------------------------

void Parser::chain(BodySyntax& body, unsigned depth) {
    Group from;
    if (!group(body, depth, from)) return recover();
    check_no_ports(from, true);
    while (is_arrow(lexer_.peek())) {
        const Token arrow = lexer_.next();
        Group to;
        if (!group(body, depth, to)) return recover();
        connect(body, from, to, arrow);
        from = to;
    }
    check_no_ports(from, false);
}

void Parser::check_no_ports(const Group& group, bool inputs) {
    for (const End& end : group) {
        if (inputs && end.in.at) context_.error(end.in.at, "an input port needs `->` before it");
        if (!inputs && end.out.at) context_.error(end.out.at, "an output port needs `->` after it");
    }
}

bool Parser::group(BodySyntax& body, unsigned depth, Group& group) {
    do {
        if (lexer_.peek().is(TokenKind::comma)) lexer_.next();
        End next;
        if (!end(body, depth, group, next)) return false;
        group.append(context_.scratch, next);
    } while (lexer_.peek().is(TokenKind::comma));
    settle(body, group);
    return true;
}

bool Parser::end(BodySyntax& body, unsigned depth, Group& group, End& end) {
    return ports(end.in) && element(body, depth, group, end) && ports(end.out);
}

// What is still a bare name is one.
void Parser::settle(BodySyntax& body, Group& group) {
    for (End& end : group)
        if (!end.element) end.element = named_use(body, end.name);
}

// The ports of one side of an arrow. An element without a list has as many as the other side, where that numbers them.
List<Parser::Socket> Parser::sockets(const Group& group, bool inputs, std::size_t others) {
    List<Socket> all;
    for (const End& end : group) {
        const Ports& ports = inputs ? end.in : end.out;
        for (const std::uint32_t port : ports.list) all.append(context_.scratch, {end.element, port});
        const std::size_t count = group.size() == 1 && others > 1 ? others : 1;
        if (ports.list.empty())
            for (std::uint32_t port = 0; port < count; ++port) all.append(context_.scratch, {end.element, port});
    }
    return all;
}

void Parser::connect(BodySyntax& body, const Group& from, const Group& to, const Token& arrow) {
    const bool numbers = arrow.is(TokenKind::fat_arrow);
    const char* at = arrow.text.data();
    List<Socket> outputs = sockets(from, false, 1), inputs = sockets(to, true, 1);
    if (numbers) {
        const std::size_t outs = outputs.size(), ins = inputs.size();
        outputs = sockets(from, false, ins);
        inputs = sockets(to, true, outs);
    }
    const bool one_to_one = numbers || (outputs.size() == inputs.size() && from.size() == 1 && to.size() == 1);
    if (one_to_one && outputs.size() != inputs.size() && outputs.size() != 1 && inputs.size() != 1)
        return context_.error(at, "got ", outputs.size(), " outputs and ", inputs.size(), " inputs, expected as many");
    std::size_t o = 0;
    for (const Socket& output : outputs) {
        std::size_t i = 0;
        for (const Socket& input : inputs) {
            const bool pair = !one_to_one || i == o || outputs.size() != inputs.size();
            if (pair && output.element && input.element)
                body.connections.append(context_.scratch, {output.element, output.port, input.element, input.port, at});
            ++i;
        }
        ++o;
    }
}

// Fills `end.element`, or `end.name` while a name may still be one of those before a `::`.
bool Parser::element(BodySyntax& body, unsigned depth, Group& group, End& end) {
    const Token token = lexer_.peek();
    if (token.is(TokenKind::open_brace)) {
        const ClassUse use = class_use(body, depth);
        if (use.ok) end.element = anonymous(body, token.text.data(), use);
        return end.element;
    }
    if (!token.is(TokenKind::identifier)) return unexpected("an element"), false;
    Lexer ahead = lexer_;
    ahead.next();
    if (ahead.peek().is(TokenKind::colons)) {
        ahead.next();
        lexer_ = ahead;
        const ClassUse use = class_use(body, depth);
        if (!use.ok) return false;
        for (End& before : group)  // `a, b :: Class` declares both
            if (!before.element && !names_.find(&body, before.name.text) && !find_class(body, before.name.text).known())
                before.element = declare(body, before.name, use);
        end.element = declare(body, token, use);
        return end.element;
    }
    if (ahead.peek().is(TokenKind::open_paren)) {
        const ClassUse use = class_use(body, depth);
        if (use.ok) end.element = anonymous(body, token.text.data(), use);
        return end.element;
    }
    lexer_.next();
    end.name = token;
    return true;
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

ElementSyntax* Parser::add_pseudo(BodySyntax& body, std::string_view name, ElementRole role, const char* at) {
    ElementSyntax* made = add(body, {.name = name, .type = {}, .config = {}, .at = at, .config_at = at, .role = role});
    if (made) names_.put(&body, name, made);
    return made;
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
            unknown_name(*element);
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

// `[3]`, `[0, 1]`, or nothing.
bool Parser::ports(Ports& ports) {
    if (!lexer_.peek().is(TokenKind::open_bracket)) return true;
    ports.at = lexer_.peek().text.data();
    do {
        lexer_.next();
        const Token number = lexer_.next();
        if (!number.is(TokenKind::identifier) || !is_number(number.text)) {
            context_.error(number.text.data(), "got `", number.text, "`, expected a port number");
            return false;
        }
        std::uint32_t port = 0;
        for (char c : number.text) port = port < max_ports ? port * 10 + static_cast<std::uint32_t>(c - '0') : port;
        if (port >= max_ports) {
            context_.error(number.text.data(), "got port ", number.text, ", expected less than ", max_ports);
            return false;
        }
        ports.list.append(context_.scratch, port);
    } while (lexer_.peek().is(TokenKind::comma));
    return expect(TokenKind::close_bracket, "`]`");
}

// --- faults -----------------------------------------------------------------------------------------------------------

void Parser::unknown_class(const Token& name) {
    const std::string_view near = nearest_name(name.text, registry_);
    if (near.empty()) context_.error(name.text.data(), "unknown element class `", name.text, "`");
    else context_.error(name.text.data(), "unknown element class `", name.text, "`, did you mean `", near, "`?");
}

void Parser::unknown_name(const ElementSyntax& use) {
    const std::string_view near = nearest_name(use.name, registry_);
    if (near.empty()) context_.error(use.at, "`", use.name, "` is neither a declared element nor an element class");
    else context_.error(use.at, "`", use.name, "` is neither a declared element nor an element class, did you mean `", near, "`?");
}

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
