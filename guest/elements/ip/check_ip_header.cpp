#include "guest/elements/ip/check_ip_header.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr std::span<const DropReason> reasons = reason_list<DropReason::too_short, DropReason::bad_header, DropReason::bad_checksum, DropReason::bad_source>;

DropReason reason_of(wire::IpFault fault) { return fault == wire::IpFault::too_short ? DropReason::too_short : DropReason::bad_header; }
}  // namespace

constinit const ElementClass CheckIPHeader::class_row{
    "CheckIPHeader", "1/1-2", "a/ah", "[OFFSET] [, OFFSET, INTERFACES, BADSRC, GOODDST, CHECKSUM]", "checks IPv4 headers", handler_rows,
    reasons, create_element<CheckIPHeader>};
constinit const ElementClass CheckIPHeader2::class_row{
    "CheckIPHeader2", "1/1-2", "a/ah", "[OFFSET] [, OFFSET, INTERFACES, BADSRC, GOODDST, CHECKSUM]", "checks IPv4 headers but for their checksum",
    handler_rows, reasons, create_element<CheckIPHeader2>};

bool CheckIPHeader::AddressList::add(std::uint32_t address) {
    if (holds(address)) return true;
    if (count == most_addresses) return false;
    addresses[count++] = address;
    return true;
}

inline bool CheckIPHeader::AddressList::holds(std::uint32_t address) const {
    for (std::size_t i = 0; i < count; ++i)
        if (addresses[i] == address) return true;
    return false;
}

void CheckIPHeader::configure(Args& args) {
    AnyText first;
    if (args.optional("OFFSET", first) && !read_word(first.text, offset_)) {
        read_addresses(args, first.text, "BADSRC", bad_sources_);
        args.optional("OFFSET", offset_);
    }
    if (offset_ > Packet::slot_bytes) args.error("got OFFSET ", offset_, ", expected at most ", std::uint32_t{Packet::slot_bytes});
    configure_sources(args);
}

void CheckIPHeader::configure_sources(Args& args) {
    bool ignored = false;
    AnyText text;
    args.keyword("CHECKSUM", checksum_);
    args.keyword("VERBOSE", ignored);
    args.keyword("DETAILS", ignored);
    if (args.keyword("INTERFACES", text)) read_interfaces(args, text.text);
    const bool given = bad_sources_.count > 0;
    if (args.keyword("BADSRC", text)) read_addresses(args, text.text, "BADSRC", bad_sources_);
    else if (!given || good_destinations_.count > 0) bad_sources_.add(0), bad_sources_.add(~std::uint32_t{0});
    if (args.keyword("GOODDST", text)) read_addresses(args, text.text, "GOODDST", good_destinations_);
}

void CheckIPHeader::read_addresses(Args& args, std::string_view text, std::string_view keyword, AddressList& list) {
    for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
        IpAddress address{};
        if (!read_word(word, address)) args.error("got `", word, "` in ", keyword, ", expected an IP address");
        else if (!list.add(wire::load32(address.data()))) return args.error("more than ", most_addresses, " addresses in ", keyword);
    }
}

void CheckIPHeader::read_interfaces(Args& args, std::string_view text) {
    for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
        IpPrefix prefix;
        if (!read_word(word, prefix)) {
            args.error("got `", word, "` in INTERFACES, expected an IP address and a prefix such as `10.0.0.1/24`");
            continue;
        }
        const std::uint32_t address = wire::load32(prefix.address.data()), mask = wire::load32(prefix.mask.data());
        const bool room = good_destinations_.add(address) && (mask >= 0xffff'fffe || bad_sources_.add(address | ~mask));
        if (!room) return args.error("more than ", most_addresses, " addresses in INTERFACES");
    }
}

// RFC 1812 5.2.2, in its order: length of the link frame, version, header length, checksum, total length.
inline std::optional<DropReason> CheckIPHeader::check(Packet& packet) const {
    if (packet.length() < offset_) return DropReason::too_short;
    const std::span<std::uint8_t> bytes = packet.bytes().subspan(offset_);
    if (const auto fault = wire::Ipv4<std::uint8_t>::fault(bytes); fault != wire::IpFault::none) return reason_of(fault);
    const auto ip = wire::view<wire::Ipv4>(bytes);
    if (checksum_ && !ip.checksum_holds()) return DropReason::bad_checksum;
    if (const auto fault = ip.length_fault(); fault != wire::IpFault::none) return reason_of(fault);
    if (bad_sources_.holds(ip.source()) && !good_destinations_.holds(ip.destination())) return DropReason::bad_source;
    packet.set_network(static_cast<std::uint16_t>(offset_));
    packet.set_transport(static_cast<std::uint16_t>(offset_ + ip.header_bytes()));
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    if (bytes.size() > ip.total_bytes()) packet.trim(static_cast<std::uint16_t>(bytes.size() - ip.total_bytes()));
    return std::nullopt;
}

void CheckIPHeader::process(Batch& batch) { pass_good(batch); }

void CheckIPHeader::pass_good(Batch& batch) {
    const bool second_output = outputs() > 1;
    Batch bad;
    for (std::size_t n = batch.size(); n > 0; --n) {
        PacketPtr packet = batch.pop_front();
        const std::optional<DropReason> fault = check(*packet);
        if (!fault) batch.push_back(std::move(packet));
        else if (second_output) bad.push_back(std::move(packet));
        else drop(std::move(packet), *fault);
    }
    if (!bad.empty()) output(1).push(std::move(bad));
}

}  // namespace unibpf
