// What the CoAP server asks of the resources behind it: a whole request in, a whole representation out.
//
// The server takes care of messages, retransmissions and blocks; a Resources implementation sees each request once, complete.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guest/control/coap/options.hpp"

namespace unibpf::coap {

inline constexpr std::uint16_t format_link = 40;      // RFC 6690
inline constexpr std::uint16_t format_cbor = 60;
inline constexpr std::uint16_t format_problem = 257;  // RFC 9290

struct Request {
    Code method = empty;
    const RequestOptions* options = nullptr;
    // The private copy: nobody but the control stack can reach these bytes. Valid until the answer is made.
    Bytes body;
    std::uint64_t arrived_ns = 0;  // when the last block came
};

struct Response {
    Code code = internal_error;
    std::uint16_t format = format_cbor;
    Bytes body;           // inside the buffer
    bool sealed = false;  // an answer to somebody who holds a key
};

class Resources {
  public:
    virtual Response respond(const Request& request, std::span<std::uint8_t> buffer) = 0;

    // Faults that the server finds itself: rules `shape option path block incomplete size busy proxy`.
    virtual Response refuse(const Error& error, std::span<std::uint8_t> buffer) = 0;

    // The most a body may have for this method and path; 0 if there is no such resource (the request is then passed on
    // after its first block, for `respond` to say why).
    virtual std::size_t body_limit(Code method, const RequestOptions& options) const = 0;

    // A number above 0 that only somebody who holds a key can have begun a body with, and only once; 0 for everybody else. Where
    // slots and memory are short, the others wait.
    virtual std::uint64_t voucher(Code, const RequestOptions&, Bytes) const { return 0; }

  protected:
    ~Resources() = default;
};

}  // namespace unibpf::coap
