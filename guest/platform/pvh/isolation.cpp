// Isolated runs by protection keys (PKU; Intel SDM volume 3, 4.6.2): every page is a user page with a key, and PKRU says which
// keys may be written. Also in ring 0, since CR0.WP is on.
//
// The gate. Stacks switch with full rights, to the program stack and back; PKRU changes on the program stack. So where a program
// returns to is the guest's own code, by a stack pointer that it cannot write. Whoever jumps to the way in meets the check of
// the rights behind it; whoever jumps to the way out only ends the run. Interrupts are off on the main stack, so that nothing but
// exceptions can come; their stack may be written by programs, because the CPU pushes the frame with the program's rights, and
// nobody trusts it before the next exception overwrites it.
//
// PKU rather than PKS, which keys supervisor pages: it is what servers have (Intel since Skylake-SP, AMD since Zen 3). Under
// TCG neither is cheaper: a WRPKRU and a WRMSR of PKRS both flush the TLB, 10 us and more each on a busy host; reading is free.
#include "guest/platform/pvh/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/slice.hpp"

extern "C" {
extern std::byte program_state_begin[], program_state_end[];
}

namespace unibpf::platform {
namespace {

constexpr std::uint32_t kStructuredFeatures = 7, kPku = 1 << 3;  // CPUID leaf, bit of ECX
constexpr std::uint64_t kProtectionKeys = 1 << 22;               // CR4.PKE
constexpr std::uint32_t kAllRights = 0, kWriteNothing = 0xaaaa'aaaa;
constexpr std::size_t kStackBytes = 32 * 1024, kGuardBytes = 4096;

alignas(4096) UNIBPF_PROGRAM_STATE std::byte program_stack[kGuardBytes + kStackBytes];

// Programs cannot write here.
struct Run {
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    void* main_sp = nullptr;
    std::uint32_t rights = kAllRights;
    bool active = false;
    bool faulted = false;
};
Run run;
bool enabled = false;

bool has_keys() { return cpu::cpuid(0).eax >= kStructuredFeatures && (cpu::cpuid(kStructuredFeatures).ecx & kPku) != 0; }

constexpr std::uint32_t write_disable_bit(PageKey key) { return 2u << (2 * static_cast<unsigned>(key)); }

[[noreturn]] void leave() {
    run.active = false;
    void* nowhere;
    unibpf_switch_stack(&nowhere, run.main_sp);
    panic("isolation: a run that was over went on");
}

[[noreturn]] void on_program_stack() {
    cpu::write_key_rights(run.rights);
    if (cpu::read_key_rights() != run.rights) panic("isolation: the way in was entered from elsewhere");
    run.entry(run.argument);
    cpu::write_key_rights(kAllRights);
    leave();
}

}  // namespace

std::string_view isolation_enable() {
    if (enabled) return {};
    if (!has_keys()) return "a CPU with protection keys (PKU)";
    const std::span state{program_state_begin, program_state_end};
    if (!set_page_key(state, PageKey::common)) return "memory for page tables";
    pvh::protect_page(reinterpret_cast<std::uint64_t>(program_stack), false, false, false);
    pvh::give_every_page_a_key();
    cpu::set_control4(kProtectionKeys);
    cpu::write_key_rights(kAllRights);
    enabled = true;
    return {};
}

bool run_isolated(PageKey key, void (*entry)(void*), void* argument) {
    if (!enabled || run.active || on_control_stack()) panic("isolation: bad start of a run");
    run = {.entry = entry,
           .argument = argument,
           .rights = kWriteNothing & ~write_disable_bit(PageKey::common) & ~write_disable_bit(key),
           .active = true};
    unibpf_switch_stack(&run.main_sp, fresh_stack(std::span{program_stack}.subspan(kGuardBytes), on_program_stack));
    return !run.faulted;
}

namespace pvh {

bool end_isolation() {
    if (!run.active) return false;
    cpu::write_key_rights(kAllRights);
    return true;
}

void end_isolated_run() {
    run.faulted = true;
    asm volatile("cld" : : : "cc");
    leave();
}

}  // namespace pvh
}  // namespace unibpf::platform
