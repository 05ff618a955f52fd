// The machine's command line: `name=value` words, and Linux's way to name virtio-mmio devices. Pure; foreign text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace unibpf::platform {

// Value of the first word `name=value`, or empty.
std::string_view option(std::string_view line, std::string_view name);

// Decimal or 0x-hexadecimal (lower case); stops at the first other character, 0 when there is none to begin with.
std::uint64_t number(std::string_view text);

// `virtio_mmio.device=<size>@<address>:<irq>` (Linux, admin-guide/kernel-parameters).
struct MmioDevice {
    std::uint64_t address = 0;
    std::optional<std::uint64_t> interrupt;
};
// The next such word of `line`, which is cut off up to its end. Nothing when there is none, or when it is malformed or names
// an address that is not 4-aligned and below 4 GiB.
std::optional<MmioDevice> next_mmio_device(std::string_view& line);

}  // namespace unibpf::platform
