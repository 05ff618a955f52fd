// The command line of unibpf-run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "guest/bpf/interpreter/interpreter.hpp"

namespace unibpf::run {

using Bytes = std::vector<std::uint8_t>;

// An entry that is set before the first packet, as control would.
struct Preset {
    std::string map;
    Bytes key, value;
};

struct Options {
    std::string bundle;                       // path, or "-" for standard input
    std::vector<Bytes> packets;               // run one after the other on the same maps
    Policy policy = Policy::checking;         // of the interpreter
    bool jit = false;                         // native code instead
    bool guarded = false;                     // as an isolated program's may have to be (bpf/jit/guard.hpp)
    std::uint64_t repeat = 1;                 // runs of each packet; the last one is reported, ns is the mean
    bool in_place = false;                    // a repetition gets the packet as the one before left it
    std::uint64_t budget = abi::default_budget;
    std::vector<Preset> presets;
    std::uint64_t loads = 0;                  // load so many times, print what that costs, and end
    bool maps = false;                        // print map contents after the last packet
    bool json = false;
    std::string packets_out;                  // file for the packets that leave the program, a line each, hex
    bool opcodes = false;                     // print the opcode table and end
    bool tables = false;                      // print the tables of the program interface and end
};

inline constexpr const char* usage =
    "usage: unibpf-run BUNDLE [--packet HEX]... [--packets FILE] [--entries FILE]\n"
    "                         [--engine interpreter|jit [--guarded]]\n"
    "                         [--policy checking|trusting] [--repeat N [--in-place]] [--budget N]\n"
    "                         [--set MAP=KEY:VALUE]... [--maps] [--json] [--packets-out FILE]\n"
    "       unibpf-run BUNDLE --loads N\n"
    "       unibpf-run --opcodes | --tables\n"
    "--packets: a packet a line, hex; --entries: an entry of a map a line, as for --set\n";

// Nothing, with a sentence in `error`, when the arguments make no sense.
std::optional<Options> parse_options(int argc, char** argv, std::string& error);

std::optional<Bytes> parse_hex(const std::string& text);

}  // namespace unibpf::run
