// Isolated runs by protection keys (PKU): every page is a user page with a key. PKRU holds in ring 0 as well, since CR0.WP is on.
//
// The gate is gate.cpp's. Interrupts are off on the main stack and in a run that control asks for, so that nothing but exceptions can
// come; their stack may be written by programs, because the CPU pushes the frame with the program's rights, and nobody trusts it
// before the next exception overwrites it.
//
// PKU rather than PKS, which keys supervisor pages: it is what servers have (Intel since Skylake-SP, AMD since Zen 3). Under
// TCG neither is cheaper: a WRPKRU and a WRMSR of PKRS both flush the TLB, 10 us and more each on a busy host; reading is free.
#include "guest/platform/gate.hpp"
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/x86/x86.hpp"

extern "C" {
extern std::byte program_state_begin[], program_state_end[];
}

namespace unibpf::platform {
namespace {

constexpr std::uint32_t structured_features = 7, pku_bit = 1 << 3;  // CPUID leaf, bit of ECX
constexpr std::size_t program_stack_bytes = 32 * 1024, guard_bytes = 4096;

std::span<std::byte> program_stack;  // after its guard page

bool enabled = false;

bool has_keys() { return cpu::cpuid(0).eax >= structured_features && (cpu::cpuid(structured_features).ecx & pku_bit) != 0; }

std::span<std::byte> take_stack() {
    const std::span pages = alloc_region(guard_bytes + program_stack_bytes);
    if (pages.empty() || !x86::protect(pages.first(guard_bytes), x86::Access::none)) return {};
    return set_page_key(pages.subspan(guard_bytes), PageKey::common) ? pages.subspan(guard_bytes) : std::span<std::byte>{};
}

}  // namespace

std::string_view isolation_enable() {
    if (enabled) return {};
    if (!has_keys()) return "a CPU with protection keys (PKU)";
    const std::span state{program_state_begin, program_state_end};
    if (!set_page_key(state, PageKey::common)) return "memory for page tables";
    if (program_stack.empty()) program_stack = take_stack();
    if (program_stack.empty()) return "memory for the stack of programs";
    x86::keys_on();
    gate::write_rights(gate::all_rights);
    enabled = true;
    return {};
}

bool run_isolated(PageKey key, void (*entry)(void*), void* argument) {
    if (!enabled) panic("isolation: a run before isolation is on");
    const auto number = [](PageKey one) { return static_cast<unsigned>(one); };
    const std::uint32_t rights = gate::rights_of_run(number(key), number(PageKey::common), number(PageKey::guest));
    return gate::run(rights, entry, argument, program_stack);
}

namespace x86 {

bool end_isolation() {
    if (!gate::active()) return false;
    gate::write_rights(gate::all_rights);
    return true;
}

}  // namespace x86
}  // namespace unibpf::platform
