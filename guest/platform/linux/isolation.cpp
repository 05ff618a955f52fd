// Isolated runs of a process by protection keys (man 7 pkeys): the kernel gives pages their key, this process changes its rights
// itself. The gate is gate.cpp's.
//
// Signals. The kernel writes their frame with the rights of the code that they interrupt and then sets rights that reach no page
// with a key, not even the stack. So every handler that may come during a run has its stack on pages of `common` and takes all
// rights before its first access to memory; sigreturn gives the interrupted code its rights back. Nobody trusts what stands on
// that stack once the handler is over.
//
// The kernel writes into a process at other times too, with the rights that it finds: the area of restartable sequences, which
// is glibc's (man 2 rseq), after each switch to another process. It is given up, or a run would end by it.
//
// A program that jumps into its own code may meet the bytes of a system call there, which can change rights and keys: a filter
// lets none through from native code.
//
// Helpers of isolated programs may call no function of the C library that writes its own state, `errno` included; the executable
// is linked with -z now, because finding a function at its first call writes as well.
#include <algorithm>
#include <array>
#include <cpuid.h>
#include <csignal>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/platform/gate.hpp"
#include "guest/platform/linux/linux.hpp"

extern "C" {
extern std::byte program_state_begin[], program_state_end[];  // programs.ld
void unibpf_isolation_signal(int number);
}

namespace unibpf::platform {
namespace {

constexpr std::size_t program_stack_bytes = 64 * 1024, guard_bytes = 4096;
constexpr std::size_t key_count = 2 + program_keys;  // `guest` is key 0, which every page has from the start
constexpr std::array fault_signals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

alignas(4096) UNIBPF_PROGRAM_STATE std::byte program_stack[guard_bytes + program_stack_bytes];
// Room for the vector state of any CPU: 11 KiB with AMX.
alignas(4096) UNIBPF_PROGRAM_STATE std::byte signal_stack[program_stack_bytes];

bool keys_in_use = false;
std::array<int, 1 + key_count> hardware_keys{};  // by PageKey
std::size_t keys_taken = 0;
bool enabled = false;

// CPUID leaf 7, ECX bit 4 (OSPKE): the CPU has protection keys and the kernel has switched them on.
bool has_keys() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & 1u << 4) != 0;
}

unsigned hardware_key(PageKey key) { return static_cast<unsigned>(hardware_keys[static_cast<std::size_t>(key)]); }

bool take_keys() {
    while (keys_taken < key_count) {
        const int key = pkey_alloc(0, 0);
        if (key < 0) return false;
        hardware_keys[++keys_taken] = key;
    }
    return true;
}

bool give_up_restartable_sequences() {
    static bool given_up = __rseq_size == 0;  // glibc has not asked for them
    constexpr unsigned registered = 32;      // bytes, as glibc says them to the kernel
    if (!given_up) {
        auto* area = static_cast<std::byte*>(__builtin_thread_pointer()) + __rseq_offset;
        given_up = syscall(SYS_rseq, area, registered, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0;
    }
    return given_up;
}

// Sound: it uses registers only, `number` stays in its own, and the stack is as the handler's caller left it.
[[gnu::naked]] void on_signal(int) {
    asm("xorl %eax, %eax\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\twrpkru\n\tjmp unibpf_isolation_signal");
}

// A fault's handler may leave by switching stacks, so its signal is not blocked meanwhile and may come again. The others block
// all: the slice timer's handler (slice_timer.cpp) must not leave from on top of them.
bool install_handlers() {
    const stack_t stack{.ss_sp = signal_stack, .ss_flags = 0, .ss_size = sizeof signal_stack};
    if (sigaltstack(&stack, nullptr) != 0) return false;
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (const int number : fault_signals) sigaction(number, &action, nullptr);
    action.sa_flags = SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (const int number : linux_process::power_off_signals) sigaction(number, &action, nullptr);
    return true;
}

}  // namespace

std::string_view isolation_enable() {
    if (enabled) return {};
    if (!has_keys()) return "a CPU with protection keys (PKU)";
    keys_in_use = true;
    if (!take_keys()) return "a kernel that gives a process 15 protection keys";
    if (!give_up_restartable_sequences()) return "a kernel that ends restartable sequences";
    if (!install_handlers()) return "a kernel that takes a signal stack";
    if (!linux_process::forbid_calls_of_native_code()) return "a kernel that filters system calls (seccomp)";
    if (!set_page_key({program_state_begin, program_state_end}, PageKey::common)) return "memory for page tables";
    if (mprotect(program_stack, guard_bytes, PROT_NONE) != 0) return "memory for page tables";
    gate::write_rights(gate::all_rights);
    enabled = true;
    return {};
}

bool set_page_key(std::span<std::byte> pages, PageKey key) {
    if (keys_taken < key_count) return false;
    const auto give = [&](PageKey one) { return pkey_mprotect(pages.data(), pages.size(), PROT_READ | PROT_WRITE, hardware_key(one)) == 0; };
    if (give(key)) return true;
    if (!give(PageKey::guest)) panic("isolation: pages cannot be taken from programs");
    return false;
}

bool run_isolated(PageKey key, void (*entry)(void*), void* argument) {
    if (!enabled) panic("isolation: a run before isolation is on");
    const std::uint32_t rights = gate::rights_of_run(hardware_key(key), hardware_key(PageKey::common), hardware_key(PageKey::guest));
    return gate::run(rights, entry, argument, std::span{program_stack}.subspan(guard_bytes));
}

namespace linux_process {

void take_all_rights() {
    if (keys_in_use) gate::write_rights(gate::all_rights);
}

}  // namespace linux_process

// With all rights, on the signal stack. What comes outside a run does what it did before there was isolation.
extern "C" void unibpf_isolation_signal(int number) {
    const auto is = [number](int one) { return one == number; };
    if (std::ranges::any_of(fault_signals, is)) {
        if (gate::active()) gate::end_by_fault();
        std::signal(number, SIG_DFL);
        std::raise(number);
    }
    linux_process::ask_power_off();
    if (gate::active()) gate::back_to_the_run();
}

}  // namespace unibpf::platform
