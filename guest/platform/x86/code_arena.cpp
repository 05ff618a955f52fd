// Code pages for the JIT: one arena of boot-time memory, 4 KiB pages, writable or executable, never both.
#include <algorithm>
#include <array>
#include <cstring>

#include "guest/platform/x86/x86.hpp"

namespace unibpf::platform {
namespace {

constexpr std::size_t small_page = 4096;
constexpr std::size_t least_code = 512 * 1024, most_code = 4u << 20;
constexpr std::size_t code_share = 32;  // of all memory: with more of it there is room for larger programs
constexpr int int3 = 0xcc;  // what free pages hold
std::span<std::byte> code_arena;
std::array<bool, most_code / small_page> code_taken{};  // by page of the arena

std::size_t pages_of(std::size_t bytes) { return (bytes + small_page - 1) / small_page; }

}  // namespace

std::size_t code_room() { return std::clamp(memory_total() / code_share, least_code, most_code) / small_page * small_page; }

std::span<std::byte> code_allocate(std::size_t bytes) {
    if (code_arena.empty()) code_arena = alloc_region(code_room());
    const std::size_t count = pages_of(bytes), all = pages_of(code_arena.size());
    if (count == 0) return {};
    for (std::size_t first = 0, free = 0; first + free < all;) {
        if (code_taken[first + free]) {
            first += free + 1;
            free = 0;
        } else if (++free == count) {
            const auto pages = code_arena.subspan(first * small_page, count * small_page);
            if (!x86::protect(pages, x86::Access::write)) return {};
            std::fill_n(code_taken.begin() + first, count, true);
            return pages;
        }
    }
    return {};
}

bool code_seal(std::span<std::byte> pages) { return x86::protect(pages, x86::Access::execute); }

// Emulators keep translations of a page that ran, and look through them at every store to it: the next program's bytes, written
// one by one while an update waits for them, took 30 to 80 ms. The wide stores here end all of that at once.
void code_release(std::span<std::byte> pages) {
    if (pages.empty()) return;
    if (!x86::protect(pages, x86::Access::write)) panic("code pages cannot be written again");
    std::memset(pages.data(), int3, pages.size());
    std::fill_n(code_taken.begin() + (pages.data() - code_arena.data()) / static_cast<std::ptrdiff_t>(small_page), pages_of(pages.size()), false);
}

}  // namespace unibpf::platform
