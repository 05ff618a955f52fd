// The fields of IP summary dumps: one table with each field's names, how it is written and how it is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest/click/elements/summary_view.hpp"

namespace unibpf::click {

// What a line of a dump says of a packet. What it does not say has no value.
struct Summary {
    std::optional<std::uint64_t> time_ns;
    std::optional<std::uint32_t> source, destination, sequence, acknowledgement, ip_length, aggregate, extra_packets;
    std::optional<std::uint32_t> source_port, destination_port, id, tos, ttl, header_words, window, urgent, udp_length;
    std::optional<std::uint32_t> ip_checksum, transport_checksum, icmp_type, icmp_code, icmp_id, icmp_sequence, icmp_mtu;
    std::optional<std::uint32_t> protocol, fragment, tcp_flags, payload_length, paint, capture_length, tcp_offset;
    std::optional<std::string> payload, tcp_options, ip_options;
};

struct SummaryField {
    std::string_view name;
    std::string_view alias;
    void (*write)(const SummaryView& view, std::string& out);  // nothing written: the packet has no such field
    bool (*read)(std::string_view word, Summary& summary);     // false: no value of this field; null: it cannot be read
};

// Null when there is none of that name; blanks and case do not matter.
const SummaryField* find_summary_field(std::string_view name);

// seconds.microseconds, or with nine digits where six do not hold it.
std::string timestamp_text(std::uint64_t ns);
std::string address_text(std::uint32_t address);

// A text in double quotes that means those bytes, and back.
std::string quoted_bytes(std::span<const std::uint8_t> bytes);

}  // namespace unibpf::click
