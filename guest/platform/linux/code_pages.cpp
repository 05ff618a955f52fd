// Pages for native code, all in one window of addresses near this program's own text and below it: calls reach in 32 bits there
// and back, CPUs predict near jumps better, and a filter of system calls can tell this code from all other.
#include <array>
#include <cstddef>
#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "guest/platform/linux/linux.hpp"

namespace unibpf::platform {
namespace {

constexpr std::uint64_t window_bytes = 512u << 20;  // also its alignment
constexpr std::uint64_t least_distance = 64u << 20;
constexpr std::size_t page_bytes = 4096;
constexpr int most_tries = 64;

// 0 when the text lies too low, which that of position-independent executables does not.
std::uint64_t window() {
    const auto text = reinterpret_cast<std::uintptr_t>(&window);
    return text < least_distance + 2 * window_bytes ? 0 : (text - least_distance) / window_bytes * window_bytes - window_bytes;
}

// Places are not used again before the window has been gone through.
void* next_place(std::size_t bytes) {
    static std::size_t used = 0;
    if (bytes > window_bytes - used) used = 0;
    const std::size_t at = std::exchange(used, used + bytes);
    return reinterpret_cast<void*>(window() + at);
}

}  // namespace

std::size_t code_room() { return 0; }
std::span<std::byte> code_allocate(std::size_t bytes) {
    bytes = (bytes + page_bytes - 1) & ~(page_bytes - 1);
    if (bytes == 0 || bytes > window_bytes) return {};
    const bool anywhere = window() == 0;
    for (int i = 0; i < most_tries; ++i) {
        void* place = anywhere ? nullptr : next_place(bytes);
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (anywhere ? 0 : MAP_FIXED_NOREPLACE);
        void* pages = mmap(place, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (pages != MAP_FAILED) return {static_cast<std::byte*>(pages), bytes};
    }
    return {};
}
bool code_seal(std::span<std::byte> pages) { return mprotect(pages.data(), pages.size(), PROT_READ | PROT_EXEC) == 0; }
void code_release(std::span<std::byte> pages) {
    if (!pages.empty()) munmap(pages.data(), pages.size());
}

namespace linux_process {

// A filter of the kernel's classic packet filter over seccomp_data (man 2 seccomp): where in the window does the instruction lie?
bool forbid_calls_of_native_code() {
    constexpr std::uint32_t pointer_low = offsetof(seccomp_data, instruction_pointer), pointer_high = pointer_low + 4;
    const std::uint64_t base = window();
    std::array<sock_filter, 7> filter = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pointer_high),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(base >> 32), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pointer_low),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~static_cast<std::uint32_t>(window_bytes - 1)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(base), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{filter.size(), filter.data()};
    static bool forbidden = false;
    if (base != 0 && !forbidden)
        forbidden = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0;
    return forbidden;
}

}  // namespace linux_process
}  // namespace unibpf::platform
