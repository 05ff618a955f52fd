#include "guest/platform/command_line.hpp"

#include <algorithm>

namespace unibpf::platform {
namespace {

// Takes the first word off the line.
std::string_view next_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word{line.data(), end};
    line.remove_prefix(end);
    return word;
}

}  // namespace

std::string_view option(std::string_view line, std::string_view name) {
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        if (word.size() <= name.size() || !word.starts_with(name) || word[name.size()] != '=') continue;
        word.remove_prefix(name.size() + 1);
        return word;
    }
    return {};
}

std::uint64_t number(std::string_view text) {
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    std::uint64_t value = 0;
    for (const char c : text) {
        unsigned digit = 16;
        if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
        if (digit >= (hex ? 16u : 10u)) break;
        value = value * (hex ? 16 : 10) + digit;
    }
    return value;
}

std::optional<MmioDevice> next_mmio_device(std::string_view& line) {
    constexpr std::string_view device_option = "virtio_mmio.device=";
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        if (!word.starts_with(device_option)) continue;
        const std::size_t sign = word.find('@');
        if (sign == word.npos) return std::nullopt;
        word.remove_prefix(sign + 1);
        MmioDevice device{number(word), std::nullopt};
        if (device.address == 0 || device.address % 4 != 0 || device.address >= 1ull << 32) return std::nullopt;
        const std::size_t colon = word.find(':');
        if (colon != word.npos) {
            word.remove_prefix(colon + 1);
            device.interrupt = number(word);
        }
        return device;
    }
    return std::nullopt;
}

}  // namespace unibpf::platform
