#include "guest/elements/icmp/icmp_ping_responder.hpp"

#include <algorithm>
#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/wire/wire.hpp"

namespace unibpf {

namespace {

constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};
constexpr std::uint8_t kReplyTtl = 255;
constexpr std::uint16_t kFragmentBits = 0x3fff;  // more fragments, and the offset (RFC 791 3.1)

bool is_echo_request(std::span<const std::uint8_t> network) {
    if (network.size() < wire::ip::kSize) return false;
    const std::size_t header_size = wire::ip::header_size(network.data());
    return header_size >= wire::ip::kSize && network.size() >= header_size + wire::icmp::kSize &&
           network[wire::ip::kProtocol] == wire::ip::kIcmp &&
           (wire::load16(&network[wire::ip::kFragment]) & kFragmentBits) == 0 &&
           network[header_size + wire::icmp::kType] == wire::icmp::kEchoRequest;
}

void set_ttl(std::uint8_t* ip, std::uint8_t ttl) {
    const std::uint16_t old_word = wire::load16(ip + wire::ip::kTtl);
    ip[wire::ip::kTtl] = ttl;
    wire::store16(ip + wire::ip::kChecksum,
                  wire::updated_checksum(wire::load16(ip + wire::ip::kChecksum), old_word, wire::load16(ip + wire::ip::kTtl)));
}

// By the total length, or what there is of it: padding does not count.
std::size_t length_of_message(std::span<const std::uint8_t> network) {
    const std::size_t header = wire::ip::header_size(network.data());
    const std::size_t total = std::min<std::size_t>(wire::load16(&network[wire::ip::kTotalLength]), network.size());
    return total < header + wire::icmp::kSize ? wire::icmp::kSize : total - header;
}

// RFC 1624 3: an update gives 0000 both where the sum is that and where it is ffff, which is where all other bytes are zero.
void store_checksum(std::uint8_t* icmp, std::size_t length, std::uint16_t updated) {
    wire::store16(icmp + wire::icmp::kChecksum, 0);
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    if (updated == 0 && std::all_of(icmp, icmp + length, is_zero)) updated = 0xffff;
    wire::store16(icmp + wire::icmp::kChecksum, updated);
}

bool answer(Packet& packet) {
    const std::span<std::uint8_t> network = packet.network();
    if (!is_echo_request(network)) return false;
    std::uint8_t* ip = network.data();
    wire::swap_bytes(ip + wire::ip::kSource, ip + wire::ip::kDestination, wire::ip::kAddressSize);  // the sum stays the same
    set_ttl(ip, kReplyTtl);
    std::memcpy(&packet.destination_ip, ip + wire::ip::kDestination, sizeof packet.destination_ip);

    std::uint8_t* icmp = ip + wire::ip::header_size(ip);
    const std::uint16_t old_word = wire::load16(icmp + wire::icmp::kType);
    icmp[wire::icmp::kType] = wire::icmp::kEchoReply;
    store_checksum(icmp, length_of_message(network), wire::updated_checksum(wire::load16(icmp + wire::icmp::kChecksum), old_word,
                                                                       wire::load16(icmp + wire::icmp::kType)));
    return true;
}

}  // namespace

constinit const ElementClass ICMPPingResponder::kClass{
    "ICMPPingResponder", "1/1-2", "a/ah", "", "answers ICMP echo requests", kHandlers, create_element<ICMPPingResponder>};

void ICMPPingResponder::process(Batch& batch) { split(batch, answer, DropReason::no_match); }

}  // namespace unibpf
