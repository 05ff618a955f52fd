// Page permissions after start.S: the image is W^X in 4 KiB pages, the null page and the page below the main stack are not
// present, all other memory is writable and not executable in 2 MiB pages. Code pages for a JIT are split off when asked for,
// and so are pages that get a protection key.
#include <algorithm>
#include <array>
#include <cstring>

#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"

extern "C" {
extern char image_begin[], text_end[], rodata_end[], image_end[], main_stack_begin[];
extern std::uint64_t page_pml4[512], page_pdpt[512], page_directories[4 * 512];
}

namespace unibpf::platform {
namespace {

constexpr std::uint64_t kPresent = 1, kWrite = 2, kUser = 4, kLarge = 1 << 7, kNoExecute = 1ull << 63;
constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;
constexpr unsigned kKeyShift = 59;
constexpr std::uint64_t kKeyMask = 15ull << kKeyShift;
constexpr std::uint64_t kSmall = 4096, kLargeBytes = 2u << 20;

using Table = std::array<std::uint64_t, 512>;
constexpr std::size_t kTables = 6;  // 2 MiB pages that can always be split: the image's (1 or 2) and the code arena's
alignas(4096) std::array<Table, kTables> tables;
std::size_t tables_used = 0;
std::uint64_t user = 0;  // kUser once keys are on

Table* new_table() {
    if (tables_used < kTables) return &tables[tables_used++];
    return reinterpret_cast<Table*>(alloc_region(sizeof(Table)).data());
}

// Null when there is no memory for a table.
std::uint64_t* page_entry_or_null(std::uint64_t address) {
    std::uint64_t& directory = page_directories[address >> 21];
    if ((directory & kLarge) != 0) {
        Table* table = new_table();
        if (table == nullptr) return nullptr;
        const std::uint64_t flags = directory & ~(kAddressMask | kLarge);
        for (std::uint64_t i = 0; i < 512; ++i) (*table)[i] = (address & ~0x1f'ffffull) + i * kSmall + flags;
        directory = reinterpret_cast<std::uint64_t>(table) | kPresent | kWrite | user;
    }
    auto* table = reinterpret_cast<std::uint64_t*>(directory & kAddressMask);
    return &table[address >> 12 & 511];
}

std::uint64_t* page_entry(std::uint64_t address) {
    std::uint64_t* entry = page_entry_or_null(address);
    if (entry == nullptr) panic("paging: no page table left");
    return entry;
}

void set_page(std::uint64_t address, bool present, bool write, bool execute) {
    *page_entry(address) = (address & kAddressMask) | (present ? kPresent : 0) | (write ? kWrite : 0) | (execute ? 0 : kNoExecute) | user;
}

void set_pages(std::uint64_t begin, std::uint64_t end, bool write, bool execute) {
    for (std::uint64_t at = begin; at < end; at += kSmall) set_page(at, true, write, execute);
}

std::uint64_t address(const char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); }

// --- code pages ---
constexpr std::size_t kLeastCode = 256 * 1024, kMostCode = 4u << 20;
constexpr std::size_t kCodeShare = 32;  // of all memory: with more of it there is room for larger programs
constexpr int kInt3 = 0xcc;  // what free pages hold
std::span<std::byte> code_arena;
std::array<bool, kMostCode / kSmall> code_taken{};  // by page of the arena

std::size_t pages_of(std::size_t bytes) { return (bytes + kSmall - 1) / kSmall; }

void set_code_pages(std::span<std::byte> pages, bool write, bool execute) {
    for (std::size_t i = 0; i < pages.size(); i += kSmall)
        pvh::protect_page(reinterpret_cast<std::uint64_t>(pages.data()) + i, true, write, execute);
}

}  // namespace

namespace pvh {

void protect_page(std::uint64_t address, bool present, bool write, bool execute) {
    set_page(address, present, write, execute);
    cpu::flush_page(address);
}

void protect_image() {
    // Everything in the first 2 MiB was executable for start.S: only the image's code stays so.
    set_page(0, false, false, false);
    set_pages(kSmall, address(image_begin), true, false);
    set_pages(address(image_begin), address(text_end), false, true);
    set_pages(address(text_end), address(rodata_end), false, false);
    set_pages(address(rodata_end), (address(image_end) + kLargeBytes - 1) & ~(kLargeBytes - 1), true, false);
    set_page(address(main_stack_begin), false, false, false);
    cpu::flush_all();
}

// A page has a key if it is a user page, at all levels. There is no code with user privilege, and SMEP and SMAP are off, so for
// all other purposes the pages stay what they are; what is not writable or not executable stays so too.
void give_every_page_a_key() {
    user = kUser;
    page_pml4[0] |= kUser;
    for (unsigned i = 0; i < 4; ++i) page_pdpt[i] |= kUser;
    for (unsigned i = 0; i < 4 * 512; ++i) {
        page_directories[i] |= kUser;
        if ((page_directories[i] & kLarge) != 0) continue;
        auto& table = *reinterpret_cast<Table*>(page_directories[i] & kAddressMask);
        for (std::uint64_t& entry : table) entry |= kUser;
    }
    cpu::flush_all();
}

}  // namespace pvh

bool set_page_key(std::span<std::byte> pages, PageKey key) {
    const auto begin = reinterpret_cast<std::uint64_t>(pages.data());
    for (std::uint64_t at = begin; at < begin + pages.size(); at += kSmall) {
        if (page_entry_or_null(at) == nullptr) return false;  // tables only: no page has changed
    }
    for (std::uint64_t at = begin; at < begin + pages.size(); at += kSmall) {
        std::uint64_t& entry = *page_entry(at);
        entry = (entry & ~kKeyMask) | static_cast<std::uint64_t>(key) << kKeyShift;
        cpu::flush_page(at);
    }
    return true;
}

std::size_t code_room() { return std::clamp(memory_total() / kCodeShare, kLeastCode, kMostCode) / kSmall * kSmall; }

std::span<std::byte> code_allocate(std::size_t bytes) {
    if (code_arena.empty()) code_arena = alloc_region(code_room());
    const std::size_t count = pages_of(bytes), all = pages_of(code_arena.size());
    if (count == 0) return {};
    for (std::size_t first = 0, free = 0; first + free < all;) {
        if (code_taken[first + free]) {
            first += free + 1;
            free = 0;
        } else if (++free == count) {
            std::fill_n(code_taken.begin() + first, count, true);
            const auto pages = code_arena.subspan(first * kSmall, count * kSmall);
            set_code_pages(pages, true, false);
            return pages;
        }
    }
    return {};
}

bool code_seal(std::span<std::byte> pages) {
    set_code_pages(pages, false, true);
    return true;
}

// Emulators keep translations of a page that ran, and look through them at every store to it: the next program's bytes, written
// one by one while an update waits for them, took 30 to 80 ms. The wide stores here end all of that at once.
void code_release(std::span<std::byte> pages) {
    if (pages.empty()) return;
    set_code_pages(pages, true, false);
    std::memset(pages.data(), kInt3, pages.size());
    std::fill_n(code_taken.begin() + (pages.data() - code_arena.data()) / static_cast<std::ptrdiff_t>(kSmall), pages_of(pages.size()), false);
}

}  // namespace unibpf::platform
