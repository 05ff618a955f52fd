// The CoAP server: one datagram in, at most one datagram out. No sockets, no clock: the caller brings both.
//
// Every answer is piggy-backed on the acknowledgement (RFC 7252 5.2.1): control work takes milliseconds, ACK_TIMEOUT is two
// seconds, and should a client send again meanwhile, its copy waits in the queue and then gets the stored answer.
// Whatever bytes come in, the server answers with an error, a reset or silence, and no resource sees them.
#pragma once

#include <cstdint>
#include <span>

#include "guest/control/coap/blockwise.hpp"
#include "guest/control/coap/exchanges.hpp"
#include "guest/control/coap/resource.hpp"

namespace unibpf::coap {

struct ServerCounters {
    std::uint64_t requests = 0;    // that were well-formed, retransmissions excluded
    std::uint64_t duplicates = 0;
    std::uint64_t malformed = 0;
};

class Server {
  public:
    // `buffer` holds one representation while it is made; `body_budget` is what all incoming bodies may take of the heap.
    Server(Resources& resources, std::span<std::uint8_t> buffer, std::size_t body_budget)
        : resources_{resources}, buffer_{buffer}, uploads_{body_budget} {}

    // Length of the answer written to `out` (max_datagram bytes); 0 for none.
    std::size_t handle(const Endpoint& peer, Bytes datagram, std::uint64_t now_ns, std::span<std::uint8_t> out);

    // Does this come from somebody who holds a key: a request that bears a good MAC, or a block of an exchange that began with one?
    // What was answered before counts as well: the answer lies ready. Answers nothing and changes nothing but ages.
    bool shows_key(const Endpoint& peer, Bytes datagram, std::uint64_t now_ns);

    const ServerCounters& counters() const { return counters_; }

  private:
    // What is common to all answers to one request.
    struct Exchange {
        Endpoint peer;
        const Message* message = nullptr;
        RequestOptions options;
        Operation operation;
        std::uint64_t now_ns = 0;
        std::span<std::uint8_t> out;
    };

    std::size_t answer(Exchange& exchange);
    std::size_t answer_body(Exchange& exchange);
    std::size_t answer_next_block(const Exchange& exchange);
    std::size_t refuse(const Exchange& exchange, const Error& error);
    std::size_t send(const Exchange& exchange, const Response& response);
    std::size_t send_block(const Exchange& exchange, const Representation& representation, const Block& block);
    MessageWriter begin(const Exchange& exchange, Code code);

    Resources& resources_;
    std::span<std::uint8_t> buffer_;
    Uploads uploads_;
    Downloads downloads_;
    Exchanges exchanges_;
    ServerCounters counters_;
    std::uint16_t next_id_ = 1;
};

}  // namespace unibpf::coap
