// `FETCH` and `POST /handlers` (schemas/control.cddl): what a handler of an element says, and what is written to it, while packets
// flow. Each call is one step as packets see it.
#pragma once

#include "guest/core/bytes.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

class Router;

inline constexpr std::size_t max_handler_value = 16 * 1024;  // of one read
inline constexpr std::size_t max_handler_write = 4 * 1024;   // and of one write

// Rules `shape`, `no-handler`, `handler` (a value that it does not take), `memory`.
Status read_handler(cbor::Writer& writer, Router& router, Bytes body);
Status write_handler(cbor::Writer& writer, Router& router, Bytes body);

}  // namespace unibpf
