// Isolated runs: a process guest has none. The functions say so, and nobody gets as far as running.
#include <cpuid.h>

#include "guest/platform/platform.hpp"

namespace unibpf::platform {
namespace {

// CPUID leaf 7, ECX bit 4 (OSPKE): the CPU has protection keys and the kernel has switched them on.
bool has_keys() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & 1u << 4) != 0;
}

}  // namespace

std::string_view isolation_enable() {
    return has_keys() ? "a guest that is a virtual machine, not a process" : "a CPU with protection keys (PKU)";
}
bool set_page_key(std::span<std::byte>, PageKey) { return false; }
bool run_isolated(PageKey, void (*)(void*), void*) { panic("isolation: a process guest has none"); }

}  // namespace unibpf::platform
