// Tokens of a pattern: words, and the operators that may stand without blanks around them.
#pragma once

#include <string_view>

#include "guest/graph/text.hpp"

namespace unibpf {

class Tokens {
  public:
    explicit Tokens(std::string_view text) : text_{text} { next(); }

    std::string_view peek() const { return token_; }  // empty at the end
    std::string_view next() {
        const std::string_view before = token_;
        while (text_.starts_with(' ')) text_.remove_prefix(1);
        token_ = slice(text_, 0, length());
        text_ = slice(text_, token_.size());
        return before;
    }
    bool take(std::string_view token) {
        if (token_ != token) return false;
        next();
        return true;
    }
    // What comes after the present token, for those who look one further.
    std::string_view after() const {
        Tokens copy = *this;
        copy.next();
        return copy.peek();
    }

  private:
    static constexpr std::string_view operators[] = {"&&", "||", "!=", "==", "<=", ">=", "(", ")", "!", "?", "=", "<", ">", "&"};

    std::size_t length() const {
        for (const std::string_view op : operators)
            if (text_.starts_with(op)) return op.size();
        if (text_.starts_with(':')) return 1;
        std::size_t size = 0;
        bool bracket = false;
        for (; size < text_.size(); ++size) {
            const char c = text_[size];
            bracket = c == '[' || (bracket && c != ']');
            if (!bracket && std::string_view{" ()!?=<>&|"}.find(c) != std::string_view::npos) break;
        }
        return size;
    }

    std::string_view text_;
    std::string_view token_;
};

}  // namespace unibpf
