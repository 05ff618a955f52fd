// Block-wise transfer (RFC 7959): bodies assembled from Block1 requests, representations handed out by Block2 requests.
//
// Invariants: at most four of each at a time; a body's limit is checked before a byte of it is kept, against Size1 where the
// client gives it and against what has come so far; blocks come in order, anything else is 4.08 and forgets the transfer. What
// lies idle for EXCHANGE_LIFETIME is given up, and so is the longest idle one (after ten seconds) when room is needed.
#pragma once

#include <array>
#include <cstdint>

#include "guest/control/buffer.hpp"
#include "guest/control/coap/exchanges.hpp"
#include "guest/control/coap/options.hpp"

namespace unibpf::coap {

// What tells two operations of one client apart (RFC 7959 2.3 and RFC 9175 3.3).
struct Operation {
    Endpoint peer;
    Code method = empty;
    Path path;
    std::array<std::uint8_t, 8> tag{};
    std::uint8_t tag_length = 0;
    friend bool operator==(const Operation&, const Operation&) = default;
};
Operation operation_of(const Endpoint& peer, Code method, const RequestOptions& options);

inline constexpr std::uint64_t idle_before_eviction_ns = 10'000'000'000;
inline constexpr std::size_t max_transfers = 4;

class Uploads {
  public:
    // What all bodies together may take of the heap.
    explicit Uploads(std::size_t budget) : budget_{budget} {}

    // Adds one block. Gives the whole body after the last one (valid until `finish`), null while more is to come. Errors:
    // `size` 4.13, `block` 4.08 or 4.00, `busy` 5.03.
    Result<const Buffer*> add(const Operation& operation, const RequestOptions& options, Bytes payload, std::size_t limit,
                              std::uint64_t now_ns);
    // Gives back the memory of a body that has been answered, or of one that will not be continued.
    void finish(const Operation& operation);
    std::size_t held() const;

  private:
    struct Transfer {
        bool used = false;
        Operation operation;
        Buffer body;
        std::uint64_t touched_ns = 0;
    };
    Transfer* find(const Operation& operation);
    Transfer* begin(const Operation& operation, std::uint64_t now_ns);
    Status append(Transfer& transfer, const Block& block, Bytes payload, const RequestOptions& options, std::size_t limit);

    std::array<Transfer, max_transfers> transfers_;
    std::size_t budget_;
};

// A representation that did not fit into one block.
struct Representation {
    bool used = false;
    Operation operation;  // without Request-Tag
    Code code = empty;
    std::uint16_t format = 0;
    std::uint32_t etag = 0;
    Buffer body;
    std::uint64_t touched_ns = 0;
};

class Downloads {
  public:
    // Null when memory is short.
    const Representation* store(const Operation& operation, Code code, std::uint16_t format, Bytes body, std::uint64_t now_ns);
    const Representation* find(const Operation& operation, std::uint64_t now_ns);

  private:
    std::array<Representation, max_transfers> representations_;
    std::uint32_t next_etag_ = 1;
};

}  // namespace unibpf::coap
