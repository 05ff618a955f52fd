// Errors: the configuration errors of one graph, collected with their places before anybody gives up (Click's habit).
//
// Holds the first most_kept of them in place, no heap; `count()` goes on counting. One sentence each, no full stop, literals in
// backticks: "line 3:12: unknown element class `Foo`".
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "guest/graph/text.hpp"

namespace unibpf {

// Where something is in the graph's text; both count from 1.
struct Place {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

class Errors {
  public:
    static constexpr std::size_t most_kept = 16;
    static constexpr std::size_t text_size = 160;

    static constexpr std::size_t context_size = 152;  // a phase, an element's name and its class's

    struct Entry {
        Place place;
        char context_buffer[context_size];  // "While configuring `name :: Class`", empty for the graph's own faults
        std::size_t context_length;
        Place context_place;  // of the element's declaration
        std::string_view context() const { return {context_buffer, context_length}; }
        char buffer[text_size];
        std::size_t length;
        std::string_view text() const { return {buffer, length}; }
    };

    // While one lives, errors are an element's.
    class Context {
      public:
        Context(Errors& errors, std::string_view phase, std::string_view element, std::string_view type, Place place)
            : phase{phase}, element{element}, type{type}, place{place}, errors_{errors} {
            errors.context_ = this;
        }
        ~Context() { errors_.context_ = nullptr; }
        Context(const Context&) = delete;
        Context& operator=(const Context&) = delete;

        std::string_view phase, element, type;
        Place place;

      private:
        Errors& errors_;
    };

    // Adds one error whose sentence is `parts` put together. Parts are texts or unsigned numbers.
    template <typename... Parts>
    void add(Place place, Parts... parts) {
        add(place, {Part{parts}...});
    }

    bool empty() const { return count_ == 0; }
    std::size_t count() const { return count_; }
    std::size_t kept() const { return count_ < most_kept ? count_ : most_kept; }
    const Entry& operator[](std::size_t i) const { return entries_[i]; }

  private:
    // One piece of a sentence. Handing over one list keeps the many callers small.
    struct Part {
        Part(std::string_view part) : text{part} {}
        Part(const char* part) : text{part} {}
        template <std::unsigned_integral Number>
        Part(Number part) : is_number{true}, number{part} {}

        bool is_number = false;
        std::uint64_t number = 0;
        std::string_view text;
    };
    void add(Place place, std::initializer_list<Part> parts);

    std::array<Entry, most_kept> entries_;
    const Context* context_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace unibpf
