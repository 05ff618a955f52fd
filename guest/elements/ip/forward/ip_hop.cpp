#include "guest/elements/ip/forward/ip_hop.hpp"

#include <cstring>

namespace unibpf::ip_hop {

namespace {

enum Option : std::uint8_t {
    end_of_list = 0,
    no_operation = 1,
    record_route = 7,
    timestamp = 68
};
constexpr std::uint8_t copy_bit = 0x80;
constexpr std::size_t pointer_at = 2, first_slot = 4, address_bytes = 4;

// Pointers count from 1. 0, or which byte of the option is wrong, from 1 on.
std::size_t fill_route(std::uint8_t* option, std::size_t length, std::uint32_t own) {
    const std::size_t pointer = option[pointer_at];
    if (length < 3 || pointer < first_slot) return pointer_at + 1;
    if (pointer > length) return 0;  // full
    if (pointer + address_bytes - 1 > length) return pointer_at + 1;
    wire::store32(option + pointer - 1, own);
    option[pointer_at] = static_cast<std::uint8_t>(pointer + address_bytes);
    return 0;
}

std::size_t fill_timestamp(std::uint8_t* option, std::size_t length, const Addresses& own, std::uint64_t now_ns) {
    constexpr std::size_t flags_at = 3, first_stamp = 5;
    constexpr std::uint32_t not_since_midnight = 0x8000'0000;
    if (length < 4) return 2;
    const std::size_t pointer = option[pointer_at];
    const unsigned flag = option[flags_at] & 15u;
    if (pointer < first_stamp) return pointer_at + 1;
    if (flag != 0 && flag != 1 && flag != 3) return flags_at + 1;
    if (pointer > length) {  // full: one more that had no room
        if (option[flags_at] >> 4 == 15) return flags_at + 1;
        option[flags_at] = static_cast<std::uint8_t>(option[flags_at] + 16);
        return 0;
    }
    const std::size_t bytes = flag == 0 ? 4 : 8;
    if (pointer + bytes - 1 > length) return pointer_at + 1;
    std::uint8_t* slot = option + pointer - 1;
    if (flag == 3 && !own.holds(wire::load32(slot))) return 0;
    if (flag == 1) wire::store32(slot, own.list[0]);
    wire::store32(slot + bytes - 4, not_since_midnight | static_cast<std::uint32_t>(now_ns / 1'000'000 & 0x7fff'ffff));
    option[pointer_at] = static_cast<std::uint8_t>(pointer + bytes);
    return 0;
}

}  // namespace

std::uint8_t fill_options(const Ip& ip, const Addresses& own, std::uint64_t now_ns) {
    const std::span<std::uint8_t> header = ip.header();
    bool filled = false;
    for (std::size_t at = Ip::least_header_bytes; at < header.size();) {
        std::uint8_t* option = &header[at];
        if (option[0] == end_of_list) break;
        if (option[0] == no_operation) {
            ++at;
            continue;
        }
        const std::size_t left = header.size() - at, length = left > 1 ? option[1] : 0;
        if (length < 2 || length > left) return static_cast<std::uint8_t>(at + 1);
        std::size_t wrong = 0;
        if (option[0] == record_route) wrong = length < 3 ? 2 : fill_route(option, length, own.list[0]);
        else if (option[0] == timestamp) wrong = fill_timestamp(option, length, own, now_ns);
        if (wrong != 0) return static_cast<std::uint8_t>(at + wrong - 1);
        filled |= option[0] == record_route || option[0] == timestamp;
        at += length;
    }
    if (filled) ip.set_checksum();
    return 0;
}

std::size_t copied_header(const Ip& ip, std::uint8_t* out) {
    const std::span<const std::uint8_t> header = ip.header();
    std::memcpy(out, header.data(), Ip::least_header_bytes);
    std::size_t length = Ip::least_header_bytes;
    for (std::size_t at = length; at < header.size() && header[at] != end_of_list;) {
        const std::size_t left = header.size() - at;
        const std::size_t bytes = header[at] == no_operation ? 1 : left > 1 ? header[at + 1]
                                                                            : 0;
        if (bytes == 0 || bytes > left) break;
        if ((header[at] & copy_bit) != 0) {
            std::memcpy(out + length, &header[at], bytes);
            length += bytes;
        }
        at += bytes;
    }
    while (length % 4 != 0) out[length++] = end_of_list;
    out[0] = static_cast<std::uint8_t>(0x40 | length / 4);
    return length;
}

}  // namespace unibpf::ip_hop
