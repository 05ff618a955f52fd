#include "guest/click/text/expand.hpp"

#include "guest/graph/config.hpp"
#include "guest/graph/lexer.hpp"

namespace unibpf::click {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

// After a `(`: at the `)` that matches it.
std::size_t closing(std::string_view text, std::size_t at) {
    unsigned depth = 1;
    for (; at < text.size(); ++at) {
        if (text[at] == '"' || text[at] == '\'')
            at = static_cast<std::size_t>(skip_quoted(text.data() + at, text.data() + text.size()) - text.data()) - 1;
        else if (text[at] == '(') ++depth;
        else if (text[at] == ')' && --depth == 0) return at;
    }
    return text.size();
}

// As text outside quotes, or inside double quotes, that means `value`.
std::string protect(std::string_view value, bool inside_quotes) {
    std::string out = inside_quotes ? "" : "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == '$') out += '\\';
        out += c;
    }
    return inside_quotes ? out : out + "\"";
}

bool is_plain(std::string_view value) {
    for (const char c : value)
        if (is_blank(c) || c == '"' || c == '\'' || c == '\\' || c == '$' || c == ',' || c == '/' || c == '#') return false;
    return !value.empty();
}

struct Variable {
    std::string_view inside;
    std::size_t length = 0;
    bool call = false;
};

// At a `$`.
Variable variable_at(std::string_view text, std::size_t at) {
    if (at + 1 >= text.size()) return {};
    const char next = text[at + 1];
    if (next == '(') {
        const std::size_t end = closing(text, at + 2);
        if (end == text.size()) return {};
        return {slice(text, at + 2, end - at - 2), end + 1 - at, true};
    }
    if (next == '{') {
        const std::size_t end = text.find('}', at);
        if (end == std::string_view::npos) return {};
        return {slice(text, at + 2, end - at - 2), end + 1 - at, false};
    }
    if (next == '?' || next == '#' || next == '*' || next == '@') return {slice(text, at + 1, 1), 2, false};
    std::size_t end = at + 1;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    return {slice(text, at + 1, end - at - 1), end > at + 1 ? end - at : 0, false};
}

}  // namespace

std::string expanded(std::string_view text, bool quote, const Meaning& meaning) {
    std::string out;
    bool inside_quotes = false;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '\'' && !inside_quotes) {
            const auto end = static_cast<std::size_t>(skip_quoted(text.data() + i, text.data() + text.size()) - text.data());
            out += slice(text, i, end - i);
            i = end;
            continue;
        }
        if (c == '\\' && inside_quotes && i + 1 < text.size()) {
            out += slice(text, i, 2);
            i += 2;
            continue;
        }
        if (c == '"') inside_quotes = !inside_quotes;
        const Variable variable = c == '$' ? variable_at(text, i) : Variable{};
        std::optional<std::string> value;
        if (variable.length > 0) value = meaning(variable.inside, variable.call);
        if (!value) {
            out += c;
            ++i;
            continue;
        }
        const bool protects = inside_quotes || (quote && !is_plain(*value));
        out += protects ? protect(*value, inside_quotes) : *value;
        i += variable.length;
    }
    return out;
}

std::string unquoted_text(std::string_view text) {
    Arena arena;
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return std::string{unquote(text, arena)};
}

std::string_view take_word(std::string_view& text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    std::size_t end = 0;
    while (end < text.size() && !is_blank(text[end])) {
        if (text[end] == '"' || text[end] == '\'')
            end = static_cast<std::size_t>(skip_quoted(text.data() + end, text.data() + text.size()) - text.data());
        else if (text[end] == '$' && end + 1 < text.size() && text[end + 1] == '(')
            end = closing(text, end + 2) + (closing(text, end + 2) < text.size() ? 1 : 0);
        else ++end;
    }
    const std::string_view word = slice(text, 0, end);
    text = slice(text, end);
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return word;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (true) {
        const std::string_view word = take_word(text);
        if (word.empty()) return words;
        words.push_back(unquoted_text(word));
    }
}

}  // namespace unibpf::click
