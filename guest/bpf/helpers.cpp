#include "guest/bpf/helpers.hpp"

#include <cstring>
#include <string_view>

#include "guest/bpf/printk.hpp"
#include "guest/bpf/random.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

using Word = std::uint64_t;

// Sound: the argument was proved to hold a map handle or a readable pointer of the size the helper reads.
Map& map_of(std::uint64_t handle) { return *reinterpret_cast<Map*>(handle); }
const std::uint8_t* bytes_of(std::uint64_t address) { return reinterpret_cast<const std::uint8_t*>(address); }
std::uint64_t failed(int error) { return static_cast<std::uint64_t>(-static_cast<std::int64_t>(error)); }

Word map_lookup_elem(Word map, Word key, Word, Word, Word, Machine&) {
    return reinterpret_cast<std::uintptr_t>(map_of(map).lookup(bytes_of(key)));
}

Word map_update_elem(Word map, Word key, Word value, Word flags, Word, Machine&) {
    return static_cast<std::uint64_t>(map_of(map).update(bytes_of(key), bytes_of(value), flags));
}

Word map_delete_elem(Word map, Word key, Word, Word, Word, Machine&) {
    return static_cast<std::uint64_t>(map_of(map).remove(bytes_of(key)));
}

Word ktime_get_ns(Word, Word, Word, Word, Word, Machine&) { return platform::monotonic_ns(); }

Word trace_printk(Word format, Word size, Word first, Word second, Word third, Machine&) {
    return static_cast<std::uint64_t>(
        printk({reinterpret_cast<const char*>(format), static_cast<std::uint32_t>(size)}, {first, second, third}));
}

Word get_prandom_u32(Word, Word, Word, Word, Word, Machine&) { return random::next_u32(); }

Word get_smp_processor_id(Word, Word, Word, Word, Word, Machine&) { return 0; }  // one data-path thread a guest

// Ones' complement sum of 32-bit words (RFC 1071), the last one filled up with zeroes; not folded below 32 bits.
std::uint32_t partial_sum(const std::uint8_t* bytes, std::uint32_t size, std::uint32_t seed) {
    std::uint64_t sum = seed;
    for (std::uint32_t i = 0; i < size; i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes + i, size - i < 4 ? size - i : 4);
        sum += word;
        sum = (sum & 0xffffffff) + (sum >> 32);
    }
    return static_cast<std::uint32_t>(sum);
}

// bpf-helpers(7): to minus from, plus seed. As Linux since 6.13: folded to 16 bits, any size (older: multiples of 4 only).
Word csum_diff(Word from, Word from_bytes, Word to, Word to_bytes, Word start, Machine&) {
    const auto from_size = static_cast<std::uint32_t>(from_bytes);
    const auto to_size = static_cast<std::uint32_t>(to_bytes);
    const auto seed = static_cast<std::uint32_t>(start);
    std::uint32_t sum = seed;
    if (to_size != 0) sum = partial_sum(bytes_of(to), to_size, sum);
    if (from_size != 0) {
        const std::uint32_t minus = ~partial_sum(bytes_of(from), from_size, to_size != 0 ? 0 : ~seed);
        const std::uint64_t both = std::uint64_t{sum} + minus;
        sum = to_size != 0 ? static_cast<std::uint32_t>(both + (both >> 32)) : minus;
    }
    sum += sum << 16 | sum >> 16;
    return sum >> 16;
}

// A positive delta shortens the packet at its head, a negative one takes bytes from the headroom.
Word xdp_adjust_head(Word, Word by, Word, Word, Word, Machine& machine) {
    const auto delta = static_cast<std::int32_t>(by);
    Packet& packet = machine.packet;
    const std::int64_t length = std::int64_t{packet.length()} - delta;
    if (length < abi::min_packet_bytes || delta < -std::int32_t{packet.headroom()}) return failed(abi::einval);
    const bool moved = delta < 0 ? packet.push(static_cast<std::uint16_t>(-delta)) : packet.pull(static_cast<std::uint16_t>(delta));
    if (!moved) return failed(abi::einval);
    machine.refresh_context();
    return 0;
}

// A positive delta takes bytes from the tailroom (zeroed, as Linux does), a negative one cuts the packet.
Word xdp_adjust_tail(Word, Word by, Word, Word, Word, Machine& machine) {
    const auto delta = static_cast<std::int32_t>(by);
    Packet& packet = machine.packet;
    const std::uint16_t old_length = packet.length();
    if (std::int64_t{old_length} + delta < abi::min_packet_bytes || delta > std::int32_t{packet.tailroom()}) return failed(abi::einval);
    const bool moved = delta < 0 ? packet.trim(static_cast<std::uint16_t>(-delta)) : packet.put(static_cast<std::uint16_t>(delta));
    if (!moved) return failed(abi::einval);
    if (delta > 0) std::memset(packet.data() + old_length, 0, static_cast<std::size_t>(delta));
    machine.refresh_context();
    return 0;
}

struct Implementation {
    abi::Helper helper;
    HelperFunction function;
};
constexpr Implementation implementations[] = {
    {abi::Helper::map_lookup_elem, map_lookup_elem},
    {abi::Helper::map_update_elem, map_update_elem},
    {abi::Helper::map_delete_elem, map_delete_elem},
    {abi::Helper::ktime_get_ns, ktime_get_ns},
    {abi::Helper::trace_printk, trace_printk},
    {abi::Helper::get_prandom_u32, get_prandom_u32},
    {abi::Helper::get_smp_processor_id, get_smp_processor_id},
    {abi::Helper::csum_diff, csum_diff},
    {abi::Helper::xdp_adjust_head, xdp_adjust_head},
    {abi::Helper::xdp_adjust_tail, xdp_adjust_tail},
    {abi::Helper::ktime_get_boot_ns, ktime_get_ns},  // the guest has no suspend: the clocks are one
};

// Fails to compile when abi::helpers has a row that nothing implements, or the orders differ.
constexpr std::array<HelperFunction, abi::helpers.size()> in_table_order() {
    static_assert(sizeof(implementations) / sizeof(implementations[0]) == abi::helpers.size());
    std::array<HelperFunction, abi::helpers.size()> functions{};
    for (std::size_t i = 0; i < functions.size(); ++i) {
        if (implementations[i].helper != abi::helpers[i].helper) __builtin_unreachable();
        functions[i] = implementations[i].function;
    }
    return functions;
}

}  // namespace

constinit const std::array<HelperFunction, abi::helpers.size()> helper_functions = in_table_order();

std::size_t helper_index(std::uint32_t number) {
    return static_cast<std::size_t>(abi::find_helper(number) - abi::helpers.data());
}

}  // namespace unibpf
