// Lexer: Click's configuration language as tokens (click(5), "Lexical issues").
//
// Never reads outside the text, always gets forward: each call of `next` consumes at least one byte until the end. Comments
// and blanks are skipped, and so are landmarks: lines that begin with `#line 3 "file"` or `# 3 "file"`. A configuration string `( ... )` is no token: the parser asks for it when it stands at `(`.
#pragma once

#include <cstdint>
#include <string_view>

namespace unibpf {

enum class TokenKind : std::uint8_t {
    end,
    identifier,   // also a bare number: Click tells them apart by where they stand
    variable,     // $name
    colons,       // ::
    arrow,        // ->
    fat_arrow,    // =>
    ellipsis,     // ...
    comma,
    semicolon,
    open_paren,
    close_paren,
    open_bracket,
    close_bracket,
    open_brace,
    close_brace,
    bar,
    double_bar,
    unknown,
};

struct Token {
    TokenKind kind = TokenKind::end;
    std::string_view text;  // in the source
    bool is(TokenKind k) const { return kind == k; }
};

class Lexer {
  public:
    explicit Lexer(std::string_view text) : begin_{text.data()}, at_{text.data()}, end_{text.data() + text.size()} {}

    const Token& peek();
    Token next();

    struct ConfigString {
        std::string_view text;  // between the parentheses
        bool closed = false;
    };
    // After `(` was taken: everything up to the `)` that matches it. Quotes and comments hide parentheses.
    ConfigString config_string();

  private:
    Token scan();
    Token take(TokenKind kind, std::size_t length);
    std::size_t identifier_length() const;
    bool at_interpreter(const char* at) const;

    const char* begin_;
    const char* at_;
    const char* end_;
    Token peeked_;
    bool has_peeked_ = false;
};

// Skips blanks and comments; returns where the next other byte stands. An unclosed comment reaches to the end.
const char* skip_blanks(const char* at, const char* end);
// `at` stands on a quote: returns the place after its partner, or the end.
const char* skip_quoted(const char* at, const char* end);
bool at_comment(const char* at, const char* end);  // at < end
bool is_word_byte(char c);  // letter, digit or `_`

}  // namespace unibpf
