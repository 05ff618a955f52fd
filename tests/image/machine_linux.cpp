#include <cstdio>
#include <string_view>
#include <sys/mman.h>

#include "guest/core/format.hpp"
#include "guest/core/heap.hpp"
#include "guest/platform/platform.hpp"
#include "tests/image/machine.hpp"

namespace unibpf::test_image {

volatile std::uint64_t& canary() {
    static void* const page = mmap(reinterpret_cast<void*>(0x70000), 4096, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (page == MAP_FAILED) platform::panic("test image: no page at 0x70000");
    return *static_cast<volatile std::uint64_t*>(page);
}

namespace {

struct Mapping {
    unsigned long begin = 0, end = 0;
    std::string_view rights;
    bool has_name = false;
};

// Lines as `55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0   [heap]` (man 5 proc).
template <typename Visit>
void visit_mappings(Visit visit) {
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    if (maps == nullptr) platform::panic("test image: cannot read /proc/self/maps");
    for (char line[512]; std::fgets(line, sizeof line, maps) != nullptr;) {
        Mapping one;
        char rights[5] = {}, name[256] = {};
        const int read = std::sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &one.begin, &one.end, rights, name);
        if (read < 3) platform::panic("test image: an unknown line of maps");
        one.rights = rights;
        one.has_name = read == 4;
        visit(one);
    }
    std::fclose(maps);
}

void say_address(std::string_view name, std::uint64_t address) {
    TextBuffer<100> line;
    line.text("at ").text(name).text(" 0x").hex(address, 16).text("\n");
    platform::console_write(line.view());
}

}  // namespace

std::uint64_t writable_code_pages() {
    std::uint64_t found = 0;
    visit_mappings([&](const Mapping& one) {
        if (one.rights[1] == 'w' && one.rights[2] == 'x') found += (one.end - one.begin) / 4096;
    });
    return found;
}

void say_addresses() {
    static std::uint64_t variable;
    const std::uint64_t on_stack = 0;
    static thread_local std::uint64_t of_thread = 0;
    const struct {
        std::string_view name;
        const void* address;
    } places[] = {{"code", reinterpret_cast<const void*>(&say_addresses)},
                  {"library", reinterpret_cast<const void*>(&std::fopen)},
                  {"variable", &variable},
                  {"heap", Heap::system().allocate(64)},
                  {"main-stack", &on_stack},
                  {"thread", &of_thread}};
    for (const auto& place : places) say_address(place.name, reinterpret_cast<std::uintptr_t>(place.address));
    visit_mappings([](const Mapping& one) {
        if (one.rights != "r-xp" || one.has_name) return;
        say_address("native", one.begin);
        // Sound: the mapping is there and may be read.
        const std::string_view bytes{reinterpret_cast<const char*>(one.begin), one.end - one.begin};
        const std::size_t call = bytes.find("\x0f\x05");
        if (call != bytes.npos) say_address("system-call", one.begin + call);
    });
}

}  // namespace unibpf::test_image
