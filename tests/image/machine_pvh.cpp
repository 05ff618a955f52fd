#include "guest/platform/x86/cpu.hpp"
#include "tests/image/machine.hpp"

extern "C" std::uint64_t page_directories[4 * 512];

namespace unibpf::test_image {

volatile std::uint64_t& canary() { return *reinterpret_cast<volatile std::uint64_t*>(0x70000); }

std::uint64_t writable_code_pages() {
    constexpr std::uint64_t present = 1, write = 2, large = 1 << 7, no_execute = 1ull << 63, address = 0x000f'ffff'ffff'f000;
    const auto bad = [](std::uint64_t entry) { return (entry & present) != 0 && (entry & write) != 0 && (entry & no_execute) == 0; };
    std::uint64_t found = 0;
    for (const std::uint64_t directory : page_directories) {
        if ((directory & large) != 0) {
            found += bad(directory);
            continue;
        }
        const auto* table = reinterpret_cast<const std::uint64_t*>(directory & address);
        for (unsigned i = 0; i < 512; ++i) found += bad(table[i]);
    }
    return found;
}

void say_addresses() {}

}  // namespace unibpf::test_image
