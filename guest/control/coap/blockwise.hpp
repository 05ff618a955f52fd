// Block-wise transfer (RFC 7959): bodies assembled from Block1 requests, representations handed out by Block2 requests.
//
// Invariants: at most four of each at a time; a body's limit is checked before a byte of it is kept, against Size1 where the
// client gives it and against what has come so far; blocks come in order, anything else is 4.08 and forgets the transfer. What
// lies idle for EXCHANGE_LIFETIME is given up, and so is the longest idle one (after ten seconds) when room is needed.
// Strangers cannot keep out who holds a key: for a body that somebody vouched for, slots and memory are taken from the bodies of
// strangers at once, the longest idle first, and an answer to him gives way to no answer to them. Among strangers, an address that
// holds two slots more than the newcomer's gives one up.
#pragma once

#include <array>
#include <cstdint>

#include "guest/control/buffer.hpp"
#include "guest/control/coap/exchanges.hpp"
#include "guest/control/coap/options.hpp"
#include "guest/control/coap/resource.hpp"

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

// One block as it came. `voucher`: Resources::voucher, of a first block.
struct Arrival {
    Bytes payload;
    std::size_t limit = 0;
    std::uint64_t now_ns = 0;
    std::uint64_t voucher = 0;
};

class Uploads {
  public:
    // What all bodies together may take of the heap.
    explicit Uploads(std::size_t budget) : budget_{budget} {}

    // Adds one block. Gives the whole body after the last one (valid until `finish`), null while more is to come. Errors:
    // `size` 4.13, `block` 4.08 or 4.00, `busy` 5.03, `memory` 5.00 where no other body is in the way.
    Result<const Buffer*> add(const Operation& operation, const RequestOptions& options, const Arrival& arrival);
    // Gives back the memory of a body that has been answered, or of one that will not be continued.
    void finish(const Operation& operation);
    // Did somebody vouch for the transfer in progress that this operation continues?
    bool is_vouched(const Operation& operation) {
        const Transfer* transfer = find(operation);
        return transfer != nullptr && transfer->voucher != 0;
    }
    std::size_t held() const;

  private:
    struct Transfer {
        bool used = false;
        Operation operation;
        Buffer body;
        std::uint64_t touched_ns = 0;
        std::uint64_t voucher = 0;
    };
    Transfer* find(const Operation& operation);
    Transfer* begin(const Operation& operation, std::uint64_t now_ns, std::uint64_t voucher);
    bool must_give_way(const Transfer& transfer, const Endpoint& peer, std::uint64_t now_ns, std::uint64_t voucher) const;
    std::size_t held_by(std::uint32_t address) const;
    bool is_spent(std::uint64_t voucher) const;
    bool reserve(Transfer& transfer, std::size_t capacity);
    Status append(Transfer& transfer, const Block& block, const RequestOptions& options, const Arrival& arrival);

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
    bool sealed = false;
};

class Downloads {
  public:
    // Null when memory or places are short.
    const Representation* store(const Operation& operation, const Response& response, std::uint64_t now_ns);
    const Representation* find(const Operation& operation, std::uint64_t now_ns);

  private:
    Representation* place_for(const Operation& key, bool sealed, std::uint64_t now_ns);

    std::array<Representation, max_transfers> representations_;
    std::uint32_t next_etag_ = 1;
};

}  // namespace unibpf::coap
