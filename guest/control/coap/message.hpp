// CoAP messages (RFC 7252 3): parsing and serialising, nothing else.
//
// Invariants: a parsed Message's spans point into the datagram; parsing never reads outside it, never allocates, and accepts
// exactly what the RFC's grammar gives (reserved nibbles, a payload marker without payload, an option past the end and
// a token longer than eight are format errors). Meaning is judged elsewhere: options.hpp knows options, server.hpp exchanges.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "guest/core/bytes.hpp"
#include "guest/core/result.hpp"

namespace unibpf::coap {

enum class Type : std::uint8_t {
    con = 0,
    non = 1,
    ack = 2,
    rst = 3
};

// A code c.dd in one byte (RFC 7252 3).
using Code = std::uint8_t;
constexpr Code make_code(unsigned major, unsigned detail) { return static_cast<Code>(major << 5 | detail); }
constexpr unsigned code_class(Code code) { return code >> 5; }

inline constexpr Code empty = make_code(0, 0);
inline constexpr Code get = make_code(0, 1), post = make_code(0, 2), put = make_code(0, 3), fetch = make_code(0, 5);
inline constexpr Code changed = make_code(2, 4), content = make_code(2, 5), continue_ = make_code(2, 31);
inline constexpr Code bad_request = make_code(4, 0), unauthorized = make_code(4, 1), bad_option = make_code(4, 2),
                      forbidden = make_code(4, 3), not_found = make_code(4, 4), method_not_allowed = make_code(4, 5),
                      not_acceptable = make_code(4, 6), incomplete = make_code(4, 8), conflict = make_code(4, 9),
                      too_large = make_code(4, 13), unsupported_format = make_code(4, 15),
                      unprocessable = make_code(4, 22);
inline constexpr Code internal_error = make_code(5, 0), unavailable = make_code(5, 3), no_proxy = make_code(5, 5);

struct Option {
    std::uint16_t number = 0;
    Bytes value;
};

struct Token {
    std::array<std::uint8_t, 8> bytes{};
    std::uint8_t length = 0;
};

inline constexpr std::size_t max_options = 24;  // a request of ours needs eight
inline constexpr std::size_t header_length = 4;

struct Message {
    Type type = Type::con;
    Code code = empty;
    std::uint16_t id = 0;
    Token token;
    FixedList<Option, max_options> options;
    Bytes payload;
};

// What the fixed header says; enough to answer a malformed message with a reset (RFC 7252 4.2).
struct Header {
    Type type = Type::con;
    Code code = empty;
    std::uint16_t id = 0;
    std::uint8_t token_length = 0;
};

// Fails on fewer than four bytes or another version, both of which are silently ignored (RFC 7252 3).
Result<Header> parse_header(Bytes datagram);
Result<Message> parse(Bytes datagram);

// Writes options in the order they are added, which must be ascending, then the payload in place.
class MessageWriter {
  public:
    MessageWriter(std::span<std::uint8_t> out, const Header& header, const Token& token);
    void option(std::uint16_t number, Bytes value);
    void option_uint(std::uint16_t number, std::uint32_t value);  // RFC 7252 3.2: no leading zero bytes
    void payload(Bytes bytes);
    // The length written, or an error if `out` was too small.
    Result<std::size_t> finish() const;

  private:
    void put(std::uint8_t byte);
    void put(Bytes bytes);

    std::span<std::uint8_t> out_;
    std::size_t length_ = 0;
    std::uint16_t last_number_ = 0;
    bool overflow_ = false;
};

}  // namespace unibpf::coap
