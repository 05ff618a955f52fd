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
        if (c == '"' || c == '\'' || c == '\\') return true;
        if (c == '/' && at_comment(argument.data() + i, argument.data() + argument.size())) return true;
        if (is_blank(c) && (blank || c != ' ')) return true;
        blank = is_blank(c);
    }
    return false;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// After `\<`: bytes in hexadecimal, blanks and comments between, up to the `>`.
const char* copy_hex(const char* at, const char* end, char*& out) {
    int high = -1;
    while (at < end && *at != '>') {
        if (const char* next = skip_blanks(at, end); next != at) {
            at = next;
            continue;
        }
        const int digit = hex_value(*at++);
        if (digit < 0) continue;
        if (high >= 0) *out++ = static_cast<char>(high * 16 + digit);
        high = high >= 0 ? -1 : digit;
    }
    if (high >= 0) *out++ = static_cast<char>(high * 16);
    return at < end ? at + 1 : end;
}

// At a backslash that something follows: the byte that both mean.
const char* copy_escape(const char* at, const char* end, char*& out) {
    constexpr std::string_view letters = "abfnrtv", bytes = "\a\b\f\n\r\t\v";
    const char c = at[1];
    if (c == '<') return copy_hex(at + 2, end, out);
    if (c == '\n') return at + 2;
    if (c == 'x') {
        int value = 0;
        const char* digit = at + 2;
        for (; digit < end && digit < at + 4 && hex_value(*digit) >= 0; ++digit) value = value * 16 + hex_value(*digit);
        if (digit > at + 2) *out++ = static_cast<char>(value);
        return digit;
    }
    if (c >= '0' && c <= '7') {
        int value = 0;
        const char* digit = at + 1;
        for (; digit < end && digit < at + 4 && *digit >= '0' && *digit <= '7'; ++digit) value = value * 8 + (*digit - '0');
        *out++ = static_cast<char>(value);
        return digit;
    }
    const std::size_t letter = letters.find(c);
    *out++ = letter < bytes.size() ? bytes[letter] : c;
    return at + 2;
}

// The bytes between two quotes; returns the place after the closing one.
const char* copy_quoted(const char* at, const char* end, char*& out) {
    const char quote = *at++;
    while (at < end && *at != quote) {
        if (quote == '"' && *at == '\\' && at + 1 < end) {
            at = copy_escape(at, end, out);
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
        } else if (*at == '\\' && at + 1 < end && at[1] == '<') {
            at = copy_hex(at + 2, end, out);
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
    arg.raw = argument;
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

// A value as it stands outside quotes; inside double quotes without its own ones, which would end them.
template <typename Put>
static void put_value(std::string_view value, bool quoted, Put&& put) {
    char quote = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (quoted && quote != '\'' && c == '\\' && i + 1 < value.size()) {
            put(c);
            put(value[++i]);
        } else if (quoted && (c == '"' || c == '\'') && (quote == 0 || quote == c)) {
            quote = quote == 0 ? c : 0;
        } else {
            if (quoted && (c == '"' || c == '\\')) put('\\');
            put(c);
        }
    }
}

// Gives `sink` the parts of the result, in order, and whether they are values inside double quotes.
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
        sink(slice(raw, begin, i - begin), false);
        if (const Binding* binding = find(variable.name, scope)) sink(binding->value, double_quoted);
        else sink(slice(raw, i, variable.length), false);
        begin = i += variable.length;
    }
    if (begin < raw.size()) sink(slice(raw, begin), false);
}

std::string_view Substitution::apply(std::string_view raw, const Scope& scope, const char* at) {
    if (raw.find('$') == std::string_view::npos) return raw;
    std::size_t size = 0;
    walk(raw, scope, [&](std::string_view part, bool quoted) { put_value(part, quoted, [&](char) { ++size; }); });
    made_ += size;
    if (made_ > most_config_bytes) {
        context_.error(at, "variables expand to more than ", most_config_bytes, " bytes");
        return {};
    }
    const std::span<char> memory = context_.lasting.array<char>(size);
    if (memory.empty()) return {};
    char* out = memory.data();
    walk(raw, scope, [&](std::string_view part, bool quoted) { put_value(part, quoted, [&](char c) { *out++ = c; }); });
    return {memory.data(), size};
}

}  // namespace unibpf
