// Page permissions after start.S: the image is W^X in 4 KiB pages, the null page and the page below the main stack are not
// present, all other memory is writable and not executable in 2 MiB pages. Code pages for a JIT are split off when asked for,
// and so are pages that get a protection key.
#include <array>

#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/x86/x86.hpp"

extern "C" {
extern char image_begin[], text_end[], rodata_end[], image_end[], main_stack_begin[];
extern std::uint64_t page_pml4[512], page_pdpt[512], page_directories[4 * 512];
}

namespace unibpf::platform {
namespace {

constexpr std::uint64_t page_present = 1, page_write = 2, page_user = 4, page_large = 1 << 7, page_no_execute = 1ull << 63;
constexpr std::uint64_t address_mask = 0x000f'ffff'ffff'f000;
constexpr std::uint64_t protection_keys = 1 << 22;  // CR4.PKE
constexpr unsigned key_shift = 59;
constexpr std::uint64_t key_mask = 15ull << key_shift;
constexpr std::uint64_t small_page = 4096, large_bytes = 2u << 20;

using Table = std::array<std::uint64_t, 512>;
// 2 MiB pages that can always be split: the image's (1 or 2), the first and last of moved memory, both places of the latter, the code
// arena's.
constexpr std::size_t table_count = 9;
alignas(4096) std::array<Table, table_count> tables;
std::size_t tables_used = 0;
std::uint64_t user = 0;  // page_user once keys are on

Table* new_table() {
    if (tables_used < table_count) return &tables[tables_used++];
    return reinterpret_cast<Table*>(alloc_region(sizeof(Table)).data());
}

// Entries name tables by the addresses of the machine; a table of moved memory is found where it was moved to.
std::uint64_t moved_begin = 0, moved_end = 0, moved_by = 0;
Table& table_of(std::uint64_t directory) {
    const std::uint64_t at = directory & address_mask;
    return *reinterpret_cast<Table*>(at >= moved_begin && at < moved_end ? at + moved_by : at);
}

std::uint64_t entry_of(Table& table) { return device_address(&table) | page_present | page_write | user; }

// Null when there is no memory for a table.
std::uint64_t* page_entry_or_null(std::uint64_t address) {
    std::uint64_t& directory = page_directories[address >> 21];
    if ((directory & page_large) != 0) {
        Table* table = new_table();
        if (table == nullptr) return nullptr;
        const std::uint64_t flags = directory & ~(address_mask | page_large);
        for (std::uint64_t i = 0; i < 512; ++i) (*table)[i] = (directory & address_mask) + i * small_page + flags;
        directory = entry_of(*table);
    }
    return &table_of(directory)[address >> 12 & 511];
}

// Tables only: no page changes. False when there is no memory for one.
bool split_pages(std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t at = begin; at < end; at += small_page) {
        if (page_entry_or_null(at) == nullptr) return false;
    }
    return true;
}

std::uint64_t* page_entry(std::uint64_t address) {
    std::uint64_t* entry = page_entry_or_null(address);
    if (entry == nullptr) panic("paging: no page table left");
    return entry;
}

void set_page(std::uint64_t address, bool present, bool write, bool execute) {
    std::uint64_t& entry = *page_entry(address);
    entry = (entry & address_mask) | (present ? page_present : 0) | (write ? page_write : 0) | (execute ? 0 : page_no_execute) | user;
}

void set_pages(std::uint64_t begin, std::uint64_t end, bool write, bool execute) {
    for (std::uint64_t at = begin; at < end; at += small_page) set_page(at, true, write, execute);
}

constexpr std::uint64_t memory_flags = 0x63;  // of a page: present, write, accessed, dirty

// One 2 MiB page of which only [begin, end) moves: its other pages appear nowhere else, least of all writable code.
void move_part(std::uint64_t page, std::uint64_t begin, std::uint64_t end, std::uint64_t slide) {
    Table* table = new_table();
    if (table == nullptr) panic("paging: no page table left");
    for (std::uint64_t i = 0; i < 512; ++i) {
        const std::uint64_t at = page + i * small_page;
        if (at < begin || at >= end) continue;
        (*table)[i] = at | memory_flags | page_no_execute;
        *page_entry(at) = 0;
    }
    page_directories[(page + slide) >> 21] = entry_of(*table);
}

std::uint64_t address(const char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); }

}  // namespace

namespace pvh {

void protect_image() {
    // Everything in the first 2 MiB was executable for start.S: only the image's code stays so.
    set_page(0, false, false, false);
    set_pages(small_page, address(image_begin), true, false);
    set_pages(address(image_begin), address(text_end), false, true);
    set_pages(address(text_end), address(rodata_end), false, false);
    set_pages(address(rodata_end), (address(image_end) + large_bytes - 1) & ~(large_bytes - 1), true, false);
    set_page(address(main_stack_begin), false, false, false);
    cpu::flush_all();
}

void move_pages(const Range& range, std::uint64_t slide) {
    for (std::uint64_t page = range.begin & ~(large_bytes - 1); page < range.end; page += large_bytes) {
        if (page < range.begin || page + large_bytes > range.end) {
            move_part(page, range.begin, range.end, slide);
        } else {
            page_directories[(page + slide) >> 21] = page_directories[page >> 21];
            page_directories[page >> 21] = 0;
        }
    }
    moved_begin = range.begin;
    moved_end = range.end;
    moved_by = slide;
    cpu::flush_all();
}

}  // namespace pvh

namespace x86 {

bool protect(std::span<std::byte> pages, Access access) {
    const auto begin = reinterpret_cast<std::uint64_t>(pages.data());
    if (!split_pages(begin, begin + pages.size())) return false;
    for (std::uint64_t at = begin; at < begin + pages.size(); at += small_page) {
        set_page(at, access != Access::none, access == Access::write, access == Access::execute);
        cpu::flush_page(at);
    }
    return true;
}

// A page has a key if it is a user page, at all levels. There is no code with user privilege, and SMEP and SMAP are off, so for
// all other purposes the pages stay what they are; what is not writable or not executable stays so too.
void keys_on() {
    user = page_user;
    page_pml4[0] |= page_user;
    for (unsigned i = 0; i < 4; ++i) page_pdpt[i] |= page_user;
    for (unsigned i = 0; i < 4 * 512; ++i) {
        if ((page_directories[i] & page_present) == 0) continue;
        page_directories[i] |= page_user;
        if ((page_directories[i] & page_large) != 0) continue;
        for (std::uint64_t& entry : table_of(page_directories[i])) entry |= page_user;
    }
    cpu::flush_all();
    cpu::set_control4(protection_keys);
}

}  // namespace x86

bool set_page_key(std::span<std::byte> pages, PageKey key) {
    const auto begin = reinterpret_cast<std::uint64_t>(pages.data());
    if (!split_pages(begin, begin + pages.size())) return false;
    for (std::uint64_t at = begin; at < begin + pages.size(); at += small_page) {
        std::uint64_t& entry = *page_entry(at);
        entry = (entry & ~key_mask) | static_cast<std::uint64_t>(key) << key_shift;
        cpu::flush_page(at);
    }
    return true;
}

}  // namespace unibpf::platform
