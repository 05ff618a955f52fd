// The packet, and sums over bytes.
#include <cstring>

#include "guest/bpf/helpers/helpers_list.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/wire/checksum.hpp"

namespace unibpf::helpers {

// bpf-helpers(7): to minus from, plus seed. As Linux since 6.13: folded to 16 bits, any size (older: multiples of 4 only).
Word csum_diff(Word from, Word from_bytes, Word to, Word to_bytes, Word start, Machine& machine) {
    const auto from_size = static_cast<std::uint32_t>(from_bytes);
    const auto to_size = static_cast<std::uint32_t>(to_bytes);
    if (!machine.afford(abi::cost::bytes(from_size) + abi::cost::bytes(to_size))) return 0;
    const auto seed = static_cast<std::uint32_t>(start);
    std::uint32_t sum = seed;
    if (to_size != 0) sum = wire::sum_of_words({bytes_of(to), to_size}, sum);
    if (from_size != 0) {
        const std::uint32_t minus = ~wire::sum_of_words({bytes_of(from), from_size}, to_size != 0 ? 0 : ~seed);
        const std::uint64_t both = std::uint64_t{sum} + minus;
        sum = to_size != 0 ? static_cast<std::uint32_t>(both + (both >> 32)) : minus;
    }
    sum += sum << 16 | sum >> 16;
    return sum >> 16;
}

// A positive delta shortens the packet at its head, a negative one takes bytes from the headroom. Metadata moves along, and so the
// head never moves so far that it would not fit.
Word xdp_adjust_head(Word, Word by, Word, Word, Word, Machine& machine) {
    const auto delta = static_cast<std::int32_t>(by);
    Packet& packet = machine.packet;
    const std::int64_t length = std::int64_t{packet.length()} - delta;
    if (length < abi::min_packet_bytes || !packet.move_head(delta)) return failed(abi::einval);
    machine.refresh_context();
    return 0;
}

// A negative delta makes the metadata longer, towards the start of the headroom.
Word xdp_adjust_meta(Word, Word by, Word, Word, Word, Machine& machine) {
    const auto delta = static_cast<std::int32_t>(by);
    Packet& packet = machine.packet;
    const std::int64_t bytes = std::int64_t{packet.metadata()} - delta;
    if (bytes < 0 || bytes > packet.headroom()) return failed(abi::einval);
    if (bytes % 4 != 0 || bytes > abi::max_metadata_bytes) return failed(abi::eacces);
    packet.set_metadata(static_cast<std::uint8_t>(bytes));
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

Word xdp_get_buff_len(Word, Word, Word, Word, Word, Machine& machine) { return machine.packet->length(); }

namespace {

// As Linux: numbers above 16 bits are EFAULT, a range outside the packet is EINVAL.
int check_range(const Packet& packet, std::uint32_t offset, std::uint32_t bytes) {
    if (offset > 0xffff || bytes > 0xffff) return abi::efault;
    return offset + bytes > packet.length() ? abi::einval : 0;
}

}  // namespace

Word xdp_load_bytes(Word, Word from, Word to, Word size, Word, Machine& machine) {
    const auto offset = static_cast<std::uint32_t>(from);
    const auto bytes = static_cast<std::uint32_t>(size);
    if (!machine.afford(abi::cost::bytes(bytes))) return 0;
    // What is there stays, as in Linux, though the verifier counts it as written: of the stack, whatever an earlier run left.
    if (const int error = check_range(machine.packet, offset, bytes); error != 0) return failed(error);
    std::memmove(room_of(to), machine.packet->data() + offset, bytes);
    return 0;
}

Word xdp_store_bytes(Word, Word to, Word from, Word size, Word, Machine& machine) {
    const auto offset = static_cast<std::uint32_t>(to);
    const auto bytes = static_cast<std::uint32_t>(size);
    if (!machine.afford(abi::cost::bytes(bytes))) return 0;
    if (const int error = check_range(machine.packet, offset, bytes); error != 0) return failed(error);
    std::memmove(machine.packet->data() + offset, bytes_of(from), bytes);
    return 0;
}

}  // namespace unibpf::helpers
