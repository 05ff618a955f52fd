#include "guest/graph/config.hpp"

#include "guest/graph/lexer.hpp"

namespace unibpf {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_keyword_byte(char c) { return is_upper(c) || (c >= '0' && c <= '9') || c == '_'; }

std::string_view trim(const char* begin, const char* end) {
    begin = skip_blanks(begin, end);
    while (end > begin && is_blank(end[-1])) --end;
    return {begin, static_cast<std::size_t>(end - begin)};
}

// After the next argument: at its comma, or the end.
const char* argument_end(const char* at, const char* end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"' || *at == '\'') {
            at = skip_quoted(at, end);
        } else if (at_comment(at, end)) {
            at = skip_blanks(at, end);
        } else {
            if (*at == ',' && depth == 0) return at;
            if (*at == '(' || *at == '[') ++depth;
            if (*at == ')' || *at == ']') --depth;
            ++at;
        }
    }
    return end;
}

bool needs_unquoting(std::string_view argument) {
    bool blank = false;
    for (std::size_t i = 0; i < argument.size(); ++i) {
        const char c = argument[i];
        if (c == '"' || c == '\'') return true;
        if (c == '/' && at_comment(argument.data() + i, argument.data() + argument.size())) return true;
        if (is_blank(c) && (blank || c != ' ')) return true;
        blank = is_blank(c);
    }
    return false;
}

char escaped(char c) {
    switch (c) {
        case 'n': return '\n';
        case 't': return '\t';
        case 'r': return '\r';
        default: return c;
    }
}

// The bytes between two quotes; returns the place after the closing one.
const char* copy_quoted(const char* at, const char* end, char*& out) {
    const char quote = *at++;
    while (at < end && *at != quote) {
        if (quote == '"' && *at == '\\' && at + 1 < end) {
            *out++ = escaped(at[1]);
            at += 2;
        } else {
            *out++ = *at++;
        }
    }
    return at < end ? at + 1 : end;
}

}  // namespace

List<std::string_view> split_config(std::string_view raw, Arena& arena) {
    List<std::string_view> arguments;
    const char* at = raw.data();
    const char* end = at + raw.size();
    while (at < end) {
        const char* stop = argument_end(at, end);
        const std::string_view argument = trim(at, stop);
        if (argument.empty() && stop == end) break;
        if (!arguments.append(arena, argument)) break;
        at = stop + 1;
    }
    return arguments;
}

std::string_view unquote(std::string_view argument, Arena& arena) {
    if (!needs_unquoting(argument)) return argument;
    const std::span<char> memory = arena.array<char>(argument.size());
    if (memory.empty()) return {};
    char* out = memory.data();
    const char* at = argument.data();
    const char* end = at + argument.size();
    while (at < end) {
        if (*at == '"' || *at == '\'') {
            at = copy_quoted(at, end, out);
        } else if (const char* next = skip_blanks(at, end); next != at) {
            *out++ = ' ';
            at = next;
        } else {
            *out++ = *at++;
        }
    }
    return {memory.data(), static_cast<std::size_t>(out - memory.data())};
}

std::string_view leading_keyword(std::string_view argument) {
    std::size_t length = 0;
    while (length < argument.size() && is_keyword_byte(argument[length])) ++length;
    const bool keyword = length > 0 && is_upper(argument[0]) && length < argument.size() && is_blank(argument[length]);
    return keyword ? slice(argument, 0, length) : std::string_view{};
}

Arg make_arg(std::string_view argument, const char* fallback, BuildContext& context) {
    Arg arg;
    arg.text = unquote(argument, context.lasting);
    arg.keyword = leading_keyword(argument);
    if (!arg.keyword.empty()) {
        const char* end = argument.data() + argument.size();
        arg.value = unquote(trim(argument.data() + arg.keyword.size(), end), context.lasting);
    }
    arg.place = context.source.place(context.source.contains(argument.data()) ? argument.data() : fallback);
    return arg;
}

Substitution::Variable Substitution::variable_at(std::string_view raw, std::size_t i) {
    if (raw[i] != '$' || i + 1 >= raw.size()) return {};
    const bool braces = raw[i + 1] == '{';
    const std::size_t begin = i + (braces ? 2 : 1);
    std::size_t end = begin;
    while (end < raw.size() && is_word_byte(raw[end])) ++end;
    if (end == begin || (braces && (end == raw.size() || raw[end] != '}'))) return {};
    return {slice(raw, begin, end - begin), end + (braces ? 1 : 0) - i};
}

const Binding* Substitution::find(std::string_view name, const Scope& scope) const {
    for (const Scope* s = &scope; s; s = s->outer)
        for (const Binding& binding : s->bindings)
            if (binding.variable == name) return &binding;
    return nullptr;
}

// Gives `sink` the parts of the result, in order.
template <typename Sink>
void Substitution::walk(std::string_view raw, const Scope& scope, Sink&& sink) {
    std::size_t begin = 0;
    std::size_t i = 0;
    bool double_quoted = false;
    while (i < raw.size()) {
        if (raw[i] == '"') double_quoted = !double_quoted;
        if (raw[i] == '\\' && double_quoted) {
            i += 2;
            continue;
        }
        if (raw[i] == '\'' && !double_quoted) {
            i = static_cast<std::size_t>(skip_quoted(raw.data() + i, raw.data() + raw.size()) - raw.data());
            continue;
        }
        const Variable variable = variable_at(raw, i);
        if (variable.length == 0) {
            ++i;
            continue;
        }
        sink(slice(raw, begin, i - begin), std::string_view{});
        if (const Binding* binding = find(variable.name, scope)) sink(binding->value, std::string_view{});
        else sink({}, variable.name);
        begin = i += variable.length;
    }
    if (begin < raw.size()) sink(slice(raw, begin), std::string_view{});
}

std::string_view Substitution::apply(std::string_view raw, const Scope& scope, const char* at) {
    if (raw.find('$') == std::string_view::npos) return raw;
    std::size_t size = 0;
    walk(raw, scope, [&](std::string_view part, std::string_view unknown) {
        size += part.size();
        if (!unknown.empty()) context_.error(at, "unknown variable `$", unknown, "`");
    });
    made_ += size;
    if (made_ > most_config_bytes) {
        context_.error(at, "variables expand to more than ", most_config_bytes, " bytes");
        return {};
    }
    const std::span<char> memory = context_.lasting.array<char>(size);
    if (memory.empty()) return {};
    char* out = memory.data();
    walk(raw, scope, [&](std::string_view part, std::string_view) {
        for (char c : part) *out++ = c;
    });
    return {memory.data(), size};
}

}  // namespace unibpf
