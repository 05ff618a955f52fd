// The two functions that core needs from below it; every platform supplies them (platform/platform.hpp says what they promise).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace unibpf::platform {

[[noreturn]] void panic(std::string_view unique_text);
std::span<std::byte> alloc_region(std::size_t bytes);

}  // namespace unibpf::platform
