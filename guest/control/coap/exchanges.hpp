// Deduplication (RFC 7252 4.5): a message that comes again within EXCHANGE_LIFETIME gets the answer it got before.
//
// A fixed table, oldest answer overwritten first. What falls out early is harmless: staging again answers `already`, and
// whatever changes what runs bears a counter.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "guest/core/bytes.hpp"

namespace unibpf::coap {

// Where a request came from.
struct Endpoint {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

inline constexpr std::uint64_t exchange_lifetime_ns = 247'000'000'000;  // RFC 7252 4.8.2
inline constexpr std::size_t max_datagram = 1280;                       // one block of 1024 and its options

class Exchanges {
  public:
    // The stored answer to message `id` of `peer`; an empty span is a stored "no answer".
    std::optional<Bytes> find(const Endpoint& peer, std::uint16_t id, std::uint64_t now_ns) const;
    void store(const Endpoint& peer, std::uint16_t id, std::uint64_t now_ns, Bytes answer);

  private:
    struct Entry {
        Endpoint peer;
        std::uint16_t id = 0;
        std::uint16_t length = 0;
        bool used = false;
        std::uint64_t at_ns = 0;
        std::array<std::uint8_t, max_datagram> answer;
    };
    static constexpr std::size_t capacity = 24;
    std::array<Entry, capacity> entries_;
    std::size_t next_ = 0;
};

}  // namespace unibpf::coap
