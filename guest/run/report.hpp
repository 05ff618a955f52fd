// What unibpf-run prints: one JSON object a packet, or lines for people.
#pragma once

#include <cstdint>
#include <string>

#include "guest/bpf/interpreter/interpreter.hpp"

namespace unibpf::run {

struct RunReport {
    Stop stop = Stop::exit;
    std::uint64_t code = 0;          // r0, all 64 bits
    std::string packet;              // hex
    std::uint64_t instructions = 0;  // exact under the checking policy, else an upper bound
    std::uint32_t redirect_port = no_port;  // where an XDP_REDIRECT goes
    double ns = 0;                   // mean of the repetitions
    Trap trap{};
};

std::string hex(const std::uint8_t* bytes, std::size_t size);
std::string verdict_name(const Program& program, const RunReport& report);
std::string maps_json(const Program& program);
std::string report_json(const Program& program, const RunReport& report, bool with_maps);
std::string report_text(const Program& program, const RunReport& report, bool with_maps);
bool leaves(const Program& program, const RunReport& report);  // whether the packet goes on, as the verdict says

}  // namespace unibpf::run
