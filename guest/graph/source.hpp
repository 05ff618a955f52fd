// Source: the text of one graph, and where in it something stands. Line numbers are looked up only for what needs them, so
// that lexing carries no positions around.
#pragma once

#include <string_view>

#include "guest/graph/arena.hpp"
#include "guest/graph/errors.hpp"

namespace unibpf {

class Source {
  public:
    // `text` and `arena` outlive the source.
    Source(std::string_view text, Arena& arena);

    std::string_view text() const { return text_; }
    bool contains(const char* at) const { return at >= text_.data() && at <= text_.data() + text_.size(); }
    // `at` points into the text.
    Place place(const char* at) const;

  private:
    std::string_view text_;
    std::span<std::uint32_t> line_starts_;
};

// What every step of building a router shares. `scratch` dies with the build, `lasting` with the router.
struct BuildContext {
    const Source& source;
    Arena& scratch;
    Arena& lasting;
    Errors& errors;

    template <typename... Parts>
    void error(const char* at, Parts... parts) {
        errors.add(source.place(at), parts...);
    }
};

}  // namespace unibpf
