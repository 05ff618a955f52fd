// The CoAP options this server knows, one row each: number, allowed lengths, whether it may repeat.
//
// RFC 7252 5.4.1: an unrecognised critical option (odd number) in a request gives 4.02, an unrecognised elective one is
// ignored; 5.4.3 and 5.4.5: an option of a wrong length, or a second one where only one may be, counts as unrecognised.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "guest/control/coap/message.hpp"

namespace unibpf::coap {

namespace option {
inline constexpr std::uint16_t uri_host = 3, etag = 4, uri_port = 7, uri_path = 11, content_format = 12, accept = 17,
                               block2 = 23, block1 = 27, size2 = 28, proxy_uri = 35, proxy_scheme = 39, size1 = 60,
                               request_tag = 292, trace_context = 65000;
}

struct OptionRow {
    std::uint16_t number;
    std::uint16_t shortest;
    std::uint16_t longest;
    bool repeatable;
    std::string_view name;
};

inline constexpr std::array<OptionRow, 14> option_table{{
    {option::uri_host, 1, 255, false, "Uri-Host"},             // RFC 7252 5.10
    {option::etag, 1, 8, true, "ETag"},
    {option::uri_port, 0, 2, false, "Uri-Port"},
    {option::uri_path, 0, 255, true, "Uri-Path"},
    {option::content_format, 0, 2, false, "Content-Format"},
    {option::accept, 0, 2, false, "Accept"},
    {option::block2, 0, 3, false, "Block2"},                   // RFC 7959 2.1
    {option::block1, 0, 3, false, "Block1"},
    {option::size2, 0, 4, false, "Size2"},                     // RFC 7959 4
    {option::proxy_uri, 1, 1034, false, "Proxy-Uri"},          // answered with 5.05 (RFC 7252 5.10.2)
    {option::proxy_scheme, 1, 255, false, "Proxy-Scheme"},
    {option::size1, 0, 4, false, "Size1"},
    {option::request_tag, 0, 8, true, "Request-Tag"},          // RFC 9175 3.2
    {option::trace_context, 25, 25, false, "Trace-Context"},   // schemas/control.cddl
}};

constexpr bool is_critical(std::uint16_t number) { return (number & 1) != 0; }

const OptionRow* find_option(std::uint16_t number);

// RFC 7252 3.2; the value is at most four bytes long.
std::uint32_t read_uint(Bytes value);

// RFC 7959 2.2: NUM, M, SZX.
struct Block {
    std::uint32_t number = 0;
    bool more = false;
    std::uint8_t size_exponent = 6;
    std::size_t size() const { return std::size_t{16} << size_exponent; }
    std::size_t offset() const { return number * size(); }
    std::uint32_t encode() const { return number << 4 | (more ? 8u : 0u) | size_exponent; }
};
inline constexpr std::uint8_t largest_size_exponent = 6;  // 1024 bytes

// Fails with rule `block` on the reserved SZX 7.
Result<Block> read_block(Bytes value);

inline constexpr std::size_t max_path_segments = 6;  // /elements/<e>/maps/<m> has four
inline constexpr std::size_t max_path_length = 255;

// The path as one text, "/elements/fw/staged". Segments hold no "/" and are not empty, so two paths never look alike.
class Path {
  public:
    Status append(std::string_view segment);
    std::string_view view() const { return {text_.data(), length_}; }
    friend bool operator==(const Path& left, const Path& right) { return left.view() == right.view(); }

  private:
    std::array<char, max_path_length> text_{};
    std::size_t length_ = 0;
};

// A request's options by meaning. Text points into the datagram.
struct RequestOptions {
    FixedList<std::string_view, max_path_segments> segments;
    Path path;
    std::optional<std::uint16_t> content_format;
    std::optional<std::uint16_t> accept;
    std::optional<Block> block1;
    std::optional<Block> block2;
    std::optional<std::uint32_t> size1;
    Bytes request_tag;    // all of them matter to a match; this server supports one
    Bytes trace_context;  // empty or 25 bytes
    bool wants_proxy = false;
};

// Fails with rule `option` (4.02), `path` (a path no resource can have) or `block`.
Result<RequestOptions> read_options(const Message& message);

}  // namespace unibpf::coap
