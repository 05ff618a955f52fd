// The functions that core needs from below it; every platform supplies them (platform/platform.hpp says what they promise).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace unibpf::platform {

[[noreturn]] void panic(std::string_view unique_text);
std::span<std::byte> alloc_region(std::size_t bytes);
enum class PageKey : std::uint8_t;
bool set_page_key(std::span<std::byte> pages, PageKey key);

}  // namespace unibpf::platform
