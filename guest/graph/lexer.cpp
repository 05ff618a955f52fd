#include "guest/graph/lexer.hpp"

namespace unibpf {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

bool starts(const char* at, const char* end, std::string_view what) {
    return *at == what[0] && std::string_view{at, static_cast<std::size_t>(end - at)}.starts_with(what);
}

const char* skip_comment(const char* at, const char* end) {
    const bool line = at[1] == '/';
    for (at += 2; at < end; ++at) {
        if (line && *at == '\n') return at;
        if (!line && starts(at, end, "*/")) return at + 2;
    }
    return end;
}

// `#line 3` or `# 3`, which a preprocessor leaves.
bool at_landmark(const char* at, const char* end) {
    std::string_view line{at + 1, static_cast<std::size_t>(end - at - 1)};
    if (line.starts_with("line")) line.remove_prefix(4);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    return !line.empty() && line[0] >= '0' && line[0] <= '9';
}

const char* skip_line(const char* at, const char* end) {
    while (at < end && *at != '\n') ++at;
    return at;
}

struct Symbol {
    std::string_view text;
    TokenKind kind;
};
// Longer symbols before their prefixes.
constexpr Symbol symbol_table[] = {
    {"::", TokenKind::colons},
    {"->", TokenKind::arrow},
    {"=>", TokenKind::fat_arrow},
    {"...", TokenKind::ellipsis},
    {"||", TokenKind::double_bar},
    {"|", TokenKind::bar},
    {",", TokenKind::comma},
    {";", TokenKind::semicolon},
    {"(", TokenKind::open_paren},
    {")", TokenKind::close_paren},
    {"[", TokenKind::open_bracket},
    {"]", TokenKind::close_bracket},
    {"{", TokenKind::open_brace},
    {"}", TokenKind::close_brace},
};

}  // namespace

bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool at_comment(const char* at, const char* end) {
    return *at == '/' && end - at > 1 && (at[1] == '/' || at[1] == '*');
}

const char* skip_blanks(const char* at, const char* end) {
    while (at < end) {
        if (is_blank(*at)) ++at;
        else if (at_comment(at, end)) at = skip_comment(at, end);
        else break;
    }
    return at;
}

const char* skip_quoted(const char* at, const char* end) {
    const char quote = *at++;
    for (; at < end; ++at) {
        if (*at == '\\' && quote == '"') ++at;  // the escaped byte cannot close
        else if (*at == quote) return at + 1;
    }
    return end;
}

// Identifiers are words joined by `/`, with `@` for generated names.
std::size_t Lexer::identifier_length() const {
    const char* p = at_;
    for (; p < end_; ++p) {
        const bool joins = *p == '/' && p > at_ && p + 1 < end_ && (is_word_byte(p[1]) || p[1] == '@');
        if (!is_word_byte(*p) && *p != '@' && !joins) break;
    }
    return static_cast<std::size_t>(p - at_);
}

Token Lexer::take(TokenKind kind, std::size_t length) {
    Token token{kind, {at_, length}};
    at_ += length;
    return token;
}

// `#!/usr/bin/click`, in a text that is a program.
bool Lexer::at_interpreter(const char* at) const { return at == begin_ && end_ - at > 1 && at[1] == '!'; }

Token Lexer::scan() {
    at_ = skip_blanks(at_, end_);
    while (at_ < end_ && *at_ == '#' && (at_ == begin_ || at_[-1] == '\n') && (at_landmark(at_, end_) || at_interpreter(at_)))
        at_ = skip_blanks(skip_line(at_, end_), end_);
    if (at_ >= end_) {
        at_ = end_;
        return {TokenKind::end, {end_, 0}};
    }
    if (const std::size_t length = identifier_length()) return take(TokenKind::identifier, length);
    if (*at_ == '$') {
        std::size_t length = 1;
        while (at_ + length < end_ && is_word_byte(at_[length])) ++length;
        return take(length > 1 ? TokenKind::variable : TokenKind::unknown, length);
    }
    for (const Symbol& symbol : symbol_table)
        if (starts(at_, end_, symbol.text)) return take(symbol.kind, symbol.text.size());
    return take(TokenKind::unknown, 1);
}

const Token& Lexer::peek() {
    if (!has_peeked_) peeked_ = scan();
    has_peeked_ = true;
    return peeked_;
}

Token Lexer::next() {
    const Token token = peek();
    has_peeked_ = false;
    return token;
}

Lexer::ConfigString Lexer::config_string() {
    const char* begin = at_;
    unsigned depth = 1;
    while (at_ < end_) {
        if (at_comment(at_, end_)) {
            at_ = skip_comment(at_, end_);
            continue;
        }
        if (*at_ == '"' || *at_ == '\'') {
            at_ = skip_quoted(at_, end_);
            continue;
        }
        if (*at_ == '(') ++depth;
        if (*at_ == ')' && --depth == 0) {
            ConfigString string{{begin, static_cast<std::size_t>(at_ - begin)}, true};
            ++at_;
            return string;
        }
        ++at_;
    }
    return {{begin, static_cast<std::size_t>(end_ - begin)}, false};
}

}  // namespace unibpf
