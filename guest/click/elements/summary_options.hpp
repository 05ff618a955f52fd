// TCP and IP options as words: `mss1400;sackok;ts1:2`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace unibpf::click {

enum class TcpOptionKinds {
    all,       // but padding
    not_time,  // but padding and timestamps
    sack
};

// "." for none, "?" for what cannot be read.
std::string tcp_options_text(std::span<const std::uint8_t> options, TcpOptionKinds kinds);
std::string ip_options_text(std::span<const std::uint8_t> options);
// The bytes, padded to whole words; false when a word is no option.
bool read_tcp_options(std::string_view text, std::string& bytes);
bool read_ip_options(std::string_view text, std::string& bytes);

}  // namespace unibpf::click
