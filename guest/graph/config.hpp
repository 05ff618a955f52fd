// Configuration strings: cut into arguments, unquoted, variables replaced (click(5), "Configuration strings").
#pragma once

#include <string_view>

#include "guest/graph/args.hpp"
#include "guest/graph/arena.hpp"
#include "guest/graph/source.hpp"

namespace unibpf {

// The arguments of a raw configuration string: cut at commas outside quotes, comments, parentheses and brackets, without
// the blanks around. An empty string has none; an empty last argument does not count.
List<std::string_view> split_config(std::string_view raw, Arena& arena);

// The text that an argument means: quotes taken away, escapes of "double quotes" replaced, `\<6869>` outside single quotes as the
// bytes that it names, comments and runs of blanks as one blank. The argument itself where nothing is to be done, else a copy in `arena`.
std::string_view unquote(std::string_view argument, Arena& arena);

// The keyword of `KEYWORD value`, empty where there is none.
std::string_view leading_keyword(std::string_view argument);

// `argument` as an element's `configure` sees it. `fallback` is its place when it comes out of a variable.
Arg make_arg(std::string_view argument, const char* fallback, BuildContext& context);

// The variables that a body's configuration strings may name, innermost first.
struct Scope {
    const Scope* outer = nullptr;
    const void* body = nullptr;  // the body it belongs to
    List<Binding> bindings;
};

// Replaces `$name` and `${name}` outside single quotes by their values; a name that has none stays as it is, for elements with
// variables of their own. Bounds the sum of what it makes.
class Substitution {
  public:
    static constexpr std::size_t most_config_bytes = 64 * 1024;

    explicit Substitution(BuildContext& context) : context_{context} {}
    // `at`: where to report a text that grows too long.
    std::string_view apply(std::string_view raw, const Scope& scope, const char* at);

  private:
    struct Variable {
        std::string_view name;
        std::size_t length = 0;  // in the text, `$` and braces included; 0: no variable here
    };
    static Variable variable_at(std::string_view raw, std::size_t i);
    template <typename Sink>
    void walk(std::string_view raw, const Scope& scope, Sink&& sink);
    const Binding* find(std::string_view name, const Scope& scope) const;

    BuildContext& context_;
    std::size_t made_ = 0;
};

}  // namespace unibpf
