// From start.S to guest_main: what C++ and the libraries need, in the order they need it.
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/x86/x86.hpp"

extern "C" {
extern std::uint64_t start_info_address;
using Constructor = void (*)();
extern const Constructor init_begin[], init_end[];
}

namespace unibpf::platform {
namespace {

constexpr std::uint32_t fs_base = 0xc000'0100;

// Debian's BearSSL and libsodium read their stack canary from %fs:0x28 (System V TLS layout).
std::uint64_t thread_block[8];

void set_canary() {
    thread_block[5] = cpu::read_tsc() * 0x9e37'79b9'7f4a'7c15 & ~0xffull;  // a zero byte stops string overruns
    cpu::write_msr(fs_base, reinterpret_cast<std::uint64_t>(thread_block));
}

constexpr std::size_t guest_stack_bytes = 64 * 1024, guard_bytes = 4096;

[[noreturn]] void on_main_stack() {
    pvh::find_machine();
    pvh::start_clock();
    for (const Constructor* constructor = init_begin; constructor != init_end; ++constructor) (*constructor)();
    guest_main();
}

// From the stack of start.S, which every boot has at the same place.
[[noreturn]] void go_to_main_stack() {
    const std::span stack = alloc_region(guard_bytes + guest_stack_bytes);
    if (stack.empty() || !x86::protect(stack.first(guard_bytes), x86::Access::none)) panic("pvh: no memory for the main stack");
    // Sound: nothing of the old stack is used again.
    asm volatile("movq %0, %%rsp\n\txorl %%ebp, %%ebp\n\tcallq *%1\n\tud2" : : "r"(stack.data() + stack.size()), "r"(&on_main_stack) : "memory");
    __builtin_unreachable();
}

}  // namespace

extern "C" [[noreturn]] void pvh_main() {
    set_canary();
    pvh::install_traps();
    pvh::read_start_info(start_info_address);
    pvh::protect_image();
    pvh::place_memory();
    go_to_main_stack();
}

}  // namespace unibpf::platform
