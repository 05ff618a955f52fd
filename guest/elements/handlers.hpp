// Handlers that several elements share; each element lists in its own table those that it has.
#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

inline constexpr Handler count_handler{"count", [](const Element& element, Text& out) { out.number(element.packets()); }, nullptr};

// The sum over all reasons; `FETCH /status` has them one by one.
inline constexpr Handler drops_handler{"drops",
                                       [](const Element& element, Text& out) {
                                           std::uint64_t sum = 0;
                                           for (std::uint64_t count : element.drops()) sum += count;
                                           out.number(sum);
                                       },
                                       nullptr};

template <typename E>
inline constexpr Handler reset_handler{"reset_counts", nullptr, [](Element& element, std::string_view) {
                                           static_cast<E&>(element).reset();
                                           return done();
                                       }};

}  // namespace unibpf
