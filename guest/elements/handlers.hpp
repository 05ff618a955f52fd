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

namespace handler_values {

template <typename T>
struct Member;
template <typename E, typename R>
struct Member<R (E::*)() const> {
    using Owner = E;
    using Value = R;
};

inline void put(Text& out, std::string_view value) { out.put(value); }
inline void put(Text& out, bool value) { out.put(value ? "true" : "false"); }
inline void put(Text& out, std::uint64_t value) { out.number(value); }
inline void put(Text& out, std::uint32_t value) { out.number(value); }
inline void put(Text& out, std::uint16_t value) { out.number(value); }
inline void put(Text& out, std::int32_t value) {
    if (value < 0) out.put('-');
    out.number(value < 0 ? 0u - static_cast<std::uint32_t>(value) : static_cast<std::uint32_t>(value));
}
inline void put(Text& out, const IpAddress& value) {
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out.put('.');
        out.number(value[i]);
    }
}
inline void put(Text& out, const EtherAddress& value) {
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out.put('-');
        out.hex_byte(value[i]);
    }
}

}  // namespace handler_values

// What E's getter gives: `read_handler<E, &E::rate>("rate")`.
template <typename E, auto get>
constexpr Handler read_handler(std::string_view name) {
    return {name, [](const Element& element, Text& out) { handler_values::put(out, (static_cast<const E&>(element).*get)()); }, nullptr};
}

// The same, and what is written goes to E's setter.
template <typename E, auto get, auto set>
constexpr Handler setting_handler(std::string_view name) {
    using Value = typename handler_values::Member<decltype(get)>::Value;
    Handler handler = read_handler<E, get>(name);
    handler.write = [](Element& element, std::string_view text) -> Status {
        Value value{};
        if (!read_word(text, value)) return Error{"handler", "got a value of another kind"};
        (static_cast<E&>(element).*set)(value);
        return done();
    };
    return handler;
}

}  // namespace unibpf
