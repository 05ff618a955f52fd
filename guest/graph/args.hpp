// Args: an element's configuration string, read in Click's manner (click(5), "Configuration strings").
//
// The string is cut at top-level commas. An argument is positional, or starts with a KEYWORD in capitals and a blank.
// An element's `configure` reads what it knows, in the order of its manual page; each read fails with a sentence in Errors
// and leaves the value as it was. After `configure` the router calls `complete()`, which reports whatever was not read.
// Texts that are read point into the router's own memory and live as long as the router.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/graph/errors.hpp"

namespace unibpf {

using IpAddress = std::array<std::uint8_t, 4>;
using EtherAddress = std::array<std::uint8_t, 6>;
struct IpPrefix {
    IpAddress address{};
    IpAddress mask{255, 255, 255, 255};
};

using Ip6Address = std::array<std::uint8_t, 16>;
struct Ip6Prefix {
    Ip6Address address{};
    std::uint32_t length = 128;
};
// A length of time: `1.5s`, `20ms`, `3us`, `2min`; a bare number is seconds.
struct Duration {
    std::uint64_t ns = 0;
};
// Bytes in a second: `8kbps` (bits), `1MBps` (bytes); a bare number is bytes.
struct Bandwidth {
    std::uint64_t bytes_per_second = 0;
};
// A TCP or UDP port, by number or by a name that is well known or that PortInfo gives.
struct PortNumber {
    std::uint16_t number = 0;
};
// The rest of an argument, empty too; plain text, where `std::string_view` wants something.
struct AnyText {
    std::string_view text;
};

// A variable of configuration strings and what it stands for.
struct Binding {
    std::string_view variable;  // without `$`
    std::string_view value;
};

struct Arg {
    std::string_view text;     // the whole argument, unquoted, no blanks around
    std::string_view raw;      // the same, quotes and all
    std::string_view keyword;  // empty unless it reads `KEYWORD value`
    std::string_view value;    // what follows the keyword, unquoted
    Place place;
    bool used = false;
};

// Takes the first word off `text`, which has no other blanks than ' '. Empty at the end.
std::string_view next_word(std::string_view& text);

// One word as a value; false, and the value as it was, when it is not one.
bool read_word(std::string_view word, std::uint32_t& value);
bool read_word(std::string_view word, bool& value);
bool read_word(std::string_view word, IpAddress& value);
bool read_word(std::string_view word, IpPrefix& value);
bool read_word(std::string_view word, EtherAddress& value);
bool read_word(std::string_view word, std::int32_t& value);
bool read_word(std::string_view word, std::uint64_t& value);
bool read_word(std::string_view word, std::int64_t& value);
bool read_word(std::string_view word, std::uint16_t& value);
bool read_word(std::string_view word, std::uint8_t& value);
bool read_word(std::string_view word, double& value);
bool read_word(std::string_view word, Ip6Address& value);
bool read_word(std::string_view word, Ip6Prefix& value);
bool read_word(std::string_view word, Duration& value);
bool read_word(std::string_view word, Bandwidth& value);
bool read_word(std::string_view word, PortNumber& value);
inline bool read_word(std::string_view word, AnyText& value) { return value.text = word, true; }
inline bool read_word(std::string_view word, std::string_view& value) { return value = word, !word.empty(); }

class Args {
  public:
    Args(std::span<Arg> args, std::string_view element, Place place, Errors& errors)
        : args_{args}, element_{element}, place_{place}, errors_{errors} {}

    // A value that must be there: the next positional argument, or `KEYWORD value`.
    template <typename T>
    bool required(std::string_view keyword, T& value) {
        return read(keyword, {true, true}, target(value));
    }
    // A value that may be there: the next positional argument, or `KEYWORD value`.
    template <typename T>
    bool optional(std::string_view keyword, T& value) {
        return read(keyword, {true, false}, target(value));
    }
    // A value that may be there, only as `KEYWORD value`.
    template <typename T>
    bool keyword(std::string_view keyword, T& value) {
        return read(keyword, {false, false}, target(value));
    }
    // The next positional argument as it stands, whatever it starts with; null at the end. For lists (Classifier).
    const Arg* next();

    // The value of the next `KEYWORD value` that nobody has read yet, for keywords that may be there several times; null at the end.
    const Arg* next(std::string_view keyword);

    // How many arguments nobody has read yet.
    std::size_t left() const;
    Place place() const { return place_; }
    Errors& errors() { return errors_; }
    // An error at this element's declaration.
    template <typename... Parts>
    void error(Parts... parts) {
        errors_.add(place_, "`", element_, "`: ", parts...);
    }
    void complete();

  private:
    struct Found {
        std::string_view text;
        Place place;
        bool present = false;
    };
    Found take(std::string_view keyword, bool positional);

    struct How {
        bool positional;
        bool must;
    };
    // Where a value goes, without its type: one `read` for all of them.
    struct Target {
        void* value;
        bool (*convert)(std::string_view word, void* value);
        std::string_view expected;
    };
    template <typename T>
    static Target target(T& value) {
        return {&value, [](std::string_view word, void* out) { return read_word(word, *static_cast<T*>(out)); }, expected(value)};
    }
    bool read(std::string_view keyword, How how, Target target);

    static std::string_view expected(std::string_view) { return "a word"; }
    static std::string_view expected(std::uint32_t) { return "a number from 0 to 4294967295"; }
    static std::string_view expected(std::int32_t) { return "a number from -2147483648 to 2147483647"; }
    static std::string_view expected(std::uint64_t) { return "a number of 64 bits"; }
    static std::string_view expected(std::int64_t) { return "a signed number of 64 bits"; }
    static std::string_view expected(std::uint16_t) { return "a number from 0 to 65535"; }
    static std::string_view expected(std::uint8_t) { return "a number from 0 to 255"; }
    static std::string_view expected(double) { return "a number such as `0.5`"; }
    static std::string_view expected(const Ip6Address&) { return "an IPv6 address such as `fe80::1`"; }
    static std::string_view expected(const Ip6Prefix&) { return "an IPv6 prefix such as `2001:db8::/32`"; }
    static std::string_view expected(const Duration&) { return "a time such as `1.5s` or `20ms`"; }
    static std::string_view expected(const Bandwidth&) { return "a bandwidth such as `8kbps` or `1MBps`"; }
    static std::string_view expected(const PortNumber&) { return "a port number"; }
    static std::string_view expected(const AnyText&) { return "any text"; }
    static std::string_view expected(bool) { return "`true` or `false`"; }
    static std::string_view expected(const IpAddress&) { return "an IP address such as `10.0.0.1`"; }
    static std::string_view expected(const IpPrefix&) { return "an IP prefix such as `10.0.0.0/8`"; }
    static std::string_view expected(const EtherAddress&) { return "an Ethernet address such as `52:54:00:00:00:01`"; }

    std::span<Arg> args_;
    std::string_view element_;
    Place place_;
    Errors& errors_;
};

}  // namespace unibpf
