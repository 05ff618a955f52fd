// Entropy by RDRAND (Intel SDM volume 1, 7.3.17: a few tries, since the source may be dry for a moment).
#include "guest/platform/platform.hpp"
#include "guest/platform/x86/cpu.hpp"

namespace unibpf::platform {

bool entropy(std::span<std::byte> out) {
    constexpr std::uint32_t rdrand = 1u << 30;
    if ((cpu::cpuid(1).ecx & rdrand) == 0) return false;
    for (std::byte& byte : out) {
        std::uint64_t value = 0;
        bool ok = false;
        for (int tries = 0; tries < 16 && !ok; ++tries) asm volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
        if (!ok) return false;
        byte = static_cast<std::byte>(value);
    }
    return true;
}

}  // namespace unibpf::platform
