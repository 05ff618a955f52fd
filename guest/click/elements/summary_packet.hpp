// From what a summary says to a packet: IPv4 with the headers that the fields need.
#pragma once

#include "guest/click/summary_fields.hpp"

namespace unibpf::click {

struct SummaryPacketOptions {
    std::uint8_t protocol = 6;  // where the summary has none
    bool checksum = false;      // make the checksums that the summary does not give
    bool zero = true;           // what nothing says is zero, else random
};

// Fills `packet`, which is empty and fresh. What does not fit becomes extra_length.
void fill_packet(const Summary& summary, const SummaryPacketOptions& options, Packet& packet);

}  // namespace unibpf::click
