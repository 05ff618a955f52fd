// hvm_start_info (Xen public/arch-x86/hvm/start_info.h): command line, the boot image as module 0, the memory map.
//
// The structures lie wherever the loader put them, so the command line is copied and the map reduced to one range before
// anything is allocated. Counts and lengths from the loader are capped.
#include <algorithm>
#include <array>

#include "guest/platform/pvh/pvh.hpp"

extern "C" char image_end[];

namespace unibpf::platform {
namespace {

constexpr std::uint32_t start_info_magic = 0x336ec578;
constexpr std::uint32_t ram_type = 1;  // E820 type
constexpr std::uint64_t k4GiB = 1ull << 32;

struct StartInfo {
    std::uint32_t magic, version, flags, nr_modules;
    std::uint64_t modlist, cmdline, rsdp;
    std::uint64_t memmap;
    std::uint32_t memmap_entries, reserved;
};
static_assert(sizeof(StartInfo) == 56);
struct ModuleEntry {
    std::uint64_t address, size, cmdline, reserved;
};
struct MemoryEntry {
    std::uint64_t address, size;
    std::uint32_t type, reserved;
};
static_assert(sizeof(MemoryEntry) == 24);

std::array<char, 4096> line;
std::size_t line_length = 0;
std::span<std::byte> module_bytes;
pvh::Range free_range{};
std::size_t ram_bytes = 0;
std::uint64_t ram_end = 0;
std::uint64_t slide = 0;
std::uint64_t next_free = 0;

void copy_command_line(std::uint64_t address) {
    if (address == 0) return;
    const char* text = reinterpret_cast<const char*>(address);
    while (line_length < line.size() && text[line_length] != '\0') {
        line[line_length] = text[line_length];
        ++line_length;
    }
}

// RAM that begins after the image in the entry that holds the image, up to the module if that lies there.
void choose_range(const StartInfo& info) {
    const std::uint64_t begin = (reinterpret_cast<std::uint64_t>(image_end) + 4095) & ~4095ull;
    const auto* map = reinterpret_cast<const MemoryEntry*>(info.memmap);
    const std::uint32_t entries = std::min(info.memmap_entries, 128u);
    for (std::uint32_t i = 0; i < entries; ++i) {
        if (map[i].type != ram_type) continue;
        ram_bytes += map[i].size;
        const std::uint64_t end = std::min(map[i].address + map[i].size, k4GiB);
        ram_end = std::max(ram_end, end);
        if (map[i].address <= begin && begin < end) free_range = {begin, end};
    }
    const auto module_begin = reinterpret_cast<std::uint64_t>(module_bytes.data());
    if (!module_bytes.empty() && module_begin >= begin && module_begin < free_range.end) free_range.end = module_begin;
    free_range.end &= ~4095ull;
    next_free = free_range.begin;
}

}  // namespace

namespace pvh {

void read_start_info(std::uint64_t address) {
    // Sound: the PVH protocol passes the address of this structure; paging maps it one to one.
    const auto& info = *reinterpret_cast<const StartInfo*>(address);
    if (info.magic != start_info_magic) panic("pvh: no hvm_start_info");
    if (info.version < 1) panic("pvh: hvm_start_info without a memory map");
    copy_command_line(info.cmdline);
    if (info.nr_modules > 0) {
        const auto& first = *reinterpret_cast<const ModuleEntry*>(info.modlist);
        if (first.address + first.size > k4GiB) panic("pvh: boot module above 4 GiB");
        module_bytes = {reinterpret_cast<std::byte*>(first.address), first.size};
    }
    choose_range(info);
}

Range free_memory() { return free_range; }
std::uint64_t memory_end() { return ram_end; }

void move_memory(std::uint64_t by, std::uint64_t left_free) {
    slide = by;
    next_free += left_free;
}

}  // namespace pvh

std::string_view name() { return "pvh"; }
std::string_view command_line() { return {line.data(), line_length}; }
std::span<std::byte> boot_module() { return module_bytes; }
std::size_t memory_total() { return ram_bytes; }

std::span<std::byte> alloc_region(std::size_t bytes) {
    bytes = (bytes + 4095) & ~std::size_t{4095};
    if (bytes == 0 || bytes > region_available()) return {};
    auto* region = reinterpret_cast<std::byte*>(next_free + slide);
    next_free += bytes;
    return {region, bytes};
}

std::uint64_t device_address(const void* memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return address - slide < free_range.end && address - slide >= free_range.begin ? address - slide : address;
}

std::size_t region_available() { return free_range.end - next_free; }

}  // namespace unibpf::platform
