// Handlers that the sources share.
#pragma once

#include "guest/elements/handlers.hpp"
#include "guest/elements/sources/packet_source.hpp"

namespace unibpf::sources {

inline PacketSource& source(Element& element) { return static_cast<PacketSource&>(element); }
inline const PacketSource& source(const Element& element) { return static_cast<const PacketSource&>(element); }

inline Status write_active(Element& element, std::string_view value) {
    bool active = false;
    if (!read_word(value, active)) return Error{"handler", "expected `true` or `false`"};
    source(element).set_active(active);
    return done();
}

inline Status write_limit(Element& element, std::string_view value) {
    std::int64_t limit = 0;
    if (!read_word(value, limit)) return Error{"handler", "expected a number of packets, or -1"};
    source(element).set_limit(limit);
    return done();
}

inline void read_limit(const Element& element, Text& out) {
    const std::int64_t limit = source(element).limit();
    if (limit < 0) out.put('-');
    out.number(static_cast<std::uint64_t>(limit < 0 ? -limit : limit));
}

inline constexpr Handler made_handler{"count", [](const Element& e, Text& out) { out.number(source(e).made()); }};
inline constexpr Handler active_handler{"active", [](const Element& e, Text& out) { out.put(source(e).active() ? "true" : "false"); }, write_active};
inline constexpr Handler limit_handler{"limit", read_limit, write_limit};
inline constexpr Handler data_handler{"data", [](const Element& e, Text& out) { out.put(source(e).data()); },
                                      [](Element& e, std::string_view value) -> Status {
                                          if (!source(e).set_data(value)) return Error{"handler", "expected at most 256 bytes"};
                                          return done();
                                      }};
inline constexpr Handler reset_source_handler{"reset", nullptr, [](Element& e, std::string_view) {
                                                  source(e).reset();
                                                  return done();
                                              }};

}  // namespace unibpf::sources
