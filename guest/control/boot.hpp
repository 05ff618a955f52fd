// The boot image: what a guest starts with (schemas/boot.cddl), as views into the boot module.
//
// Invariants: parsing is strict (unknown keys, wrong order, long forms, trailing bytes are refused), copies nothing but
// fixed-size fields and never allocates. Every span and string_view points into the bytes given to `parse_boot_image`, which
// must stay where they are for as long as the BootImage is used (the boot module stays mapped for the guest's life).
// The parser trusts nothing, although the host wrote the image: a truncated initrd must end in a named error, not a fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "guest/core/bytes.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

enum class Algorithm : std::int8_t {
    eddsa = -8,
    es256 = -7
};  // COSE numbers (RFC 9053 2.1, 2.2)

// A signer key the guest accepts, with the only algorithm it may be used with.
struct PinnedKey {
    std::array<std::uint8_t, 8> kid{};  // first bytes of SHA-256 over `key`
    Algorithm algorithm = Algorithm::eddsa;
    Bytes key;                          // Ed25519: 32 bytes; P-256: 65 bytes, 04 || X || Y
};

struct BootProgram {
    std::string_view element;
    Bytes envelope;
    Bytes bundle;
};

struct BootFloor {
    std::string_view element;  // "" is the graph's
    std::uint64_t sequence = 0;
};

struct BootNic {
    std::string_view name;  // "mgmt" is the management NIC
    std::array<std::uint8_t, 6> mac{};
};

struct ManagementAddress {
    std::uint32_t address = 0;  // host byte order
    std::uint8_t prefix = 0;
    std::uint16_t port = 0;
    std::optional<std::uint32_t> gateway;
};

struct BootLimits {
    std::uint64_t instruction_budget = 1'000'000;   // per packet
    std::uint64_t probation_ns = 2'000'000'000;
    std::uint64_t control_slice_ns = 200'000;
};

struct BootImage {
    std::string_view guest;
    std::string_view audience;
    std::array<std::uint8_t, 32> seed{};
    Bytes seed_in_image;  // where it was read from
    FixedList<PinnedKey, 8> keys;
    Bytes graph_envelope;
    Bytes graph;  // UTF-8 text
    FixedList<BootProgram, 64> programs;
    FixedList<BootFloor, 65> floors;
    ManagementAddress management;
    FixedList<BootNic, 17> nics;
    std::uint64_t wall_clock_us = 0;  // at start
    BootLimits limits;

    // The floor for an element's program ("" for the graph): a release must have a higher sequence.
    std::uint64_t floor(std::string_view element) const;
    // The MAC of the NIC of that name.
    const BootNic* nic(std::string_view name) const;
};

// Largest boot image: 64 programs cannot all be of the largest size, and the initrd must fit into a small guest.
inline constexpr std::size_t max_boot_image = 16u << 20;

Status parse_boot_image(Bytes bytes, BootImage& image);

struct BootGraph {
    std::string_view text;
    std::string_view name;
    std::uint64_t sequence = 0;
    Digest digest{};  // of its envelope
};

// The boot graph, after the same checks as any release (design 5); the error names the rule that failed. `now_us`: Unix time.
Result<BootGraph> verify_boot_graph(const BootImage& image, std::uint64_t now_us);

}  // namespace unibpf
