#include "guest/elements/ip/check_ip_header.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};

DropReason reason_of(wire::IpFault fault) { return fault == wire::IpFault::too_short ? DropReason::too_short : DropReason::bad_header; }
}  // namespace

constinit const ElementClass CheckIPHeader::class_row{
    "CheckIPHeader", "1/1-2", "a/ah", "[OFFSET] [, BADSRC, CHECKSUM]", "checks IPv4 headers", handler_rows,
    reason_list<DropReason::too_short, DropReason::bad_header, DropReason::bad_checksum, DropReason::bad_source>, create_element<CheckIPHeader>};

void CheckIPHeader::configure(Args& args) {
    args.optional("OFFSET", offset_);
    if (offset_ > Packet::slot_bytes) args.error("got OFFSET ", offset_, ", expected at most ", std::uint32_t{Packet::slot_bytes});
    args.keyword("CHECKSUM", checksum_);
    std::string_view sources;
    args.keyword("BADSRC", sources);
    while (!sources.empty()) {
        const std::string_view word = next_word(sources);
        if (word.empty()) break;
        if (bad_source_count_ == max_bad_sources) return args.error("more than ", max_bad_sources, " addresses in BADSRC");
        if (!read_word(word, bad_sources_[bad_source_count_++])) args.error("got `", word, "` in BADSRC, expected an IP address");
    }
}

bool CheckIPHeader::bad_source(const std::uint8_t* address) const {
    const auto* end = bad_sources_.begin() + bad_source_count_;
    return std::any_of(bad_sources_.begin(), end,
                       [&](const IpAddress& bad) { return std::memcmp(bad.data(), address, bad.size()) == 0; });
}

// RFC 1812 5.2.2, in its order: length of the link frame, version, header length, checksum, total length.
std::optional<DropReason> CheckIPHeader::check(Packet& packet) const {
    if (packet.length() < offset_) return DropReason::too_short;
    const std::span<std::uint8_t> bytes = packet.bytes().subspan(offset_);
    if (const auto fault = wire::Ipv4<std::uint8_t>::fault(bytes); fault != wire::IpFault::none) return reason_of(fault);
    const auto ip = wire::view<wire::Ipv4>(bytes);
    if (checksum_ && !ip.checksum_holds()) return DropReason::bad_checksum;
    if (const auto fault = ip.length_fault(); fault != wire::IpFault::none) return reason_of(fault);
    if (bad_source(ip.source_field().data())) return DropReason::bad_source;
    packet.set_network(static_cast<std::uint16_t>(offset_));
    std::memcpy(&packet.destination_ip, ip.destination_field().data(), sizeof packet.destination_ip);
    packet.trim(static_cast<std::uint16_t>(bytes.size() - ip.total_bytes()));
    return std::nullopt;
}

void CheckIPHeader::process(Batch& batch) {
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
