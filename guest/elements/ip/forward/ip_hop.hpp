// What a router does with every packet that it forwards (RFC 1812 5.2), a function for each step; DecIPTTL, IPGWOptions,
// IPFragmenter and the combined elements are made of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "guest/graph/element.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf::ip_hop {

using Ip = wire::Ipv4<std::uint8_t>;

// False: the time to live is over, the packet unchanged.
inline bool take_ttl(const Ip& ip) {
    if (ip.ttl() <= 1) return false;
    ip.set_ttl(static_cast<std::uint8_t>(ip.ttl() - 1));
    return true;
}

// Record route and timestamp (RFC 791 3.1) filled in for a router of those addresses, the first of which is written.
struct Addresses {
    static constexpr std::size_t most = 16;
    std::array<std::uint32_t, most> list{};
    std::size_t count = 0;

    bool holds(std::uint32_t address) const {
        for (std::size_t i = 0; i < count; ++i)
            if (list[i] == address) return true;
        return false;
    }
};
// 0, or where from the header's start on a byte is wrong.
std::uint8_t fill_options(const Ip& ip, const Addresses& own, std::uint64_t now_ns);

// The length of the header that later fragments have: options with the copy bit set alone (RFC 791 3.1). `out` has room for 60.
std::size_t copied_header(const Ip& ip, std::uint8_t* out);

}  // namespace unibpf::ip_hop
