// platform.hpp on a Linux process: one thread, POSIX clocks, mmap, signals.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/platform/linux/linux.hpp"

namespace unibpf::platform {
namespace {

constexpr std::size_t most_devices = 16;
constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t region_limit = 256u << 20;  // what alloc_region gives in all

std::span<std::byte> module_bytes;
std::string_view arguments;
linux_process::Device* devices[most_devices];
FrameDevice* frame_list[most_devices];
std::size_t device_count = 0;
std::uint64_t entered_ns = 0;
std::int64_t wall_offset_us = 0;
std::size_t regions_bytes = 0;
std::uintptr_t next_region = 0;  // 0: anywhere below 2 GiB
volatile std::sig_atomic_t stop_requested = 0;

std::uint64_t read_clock(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second_ns + static_cast<std::uint64_t>(now.tv_nsec);
}

// write(2) without the C library's `errno`, which isolated programs' helpers may not write. Sound: the kernel reads `text`, and of
// the registers it changes these three.
long write_some(int descriptor, std::string_view text) {
    long result = SYS_write;
    asm volatile("syscall" : "+a"(result) : "D"(descriptor), "S"(text.data()), "d"(text.size()) : "rcx", "r11", "memory");
    return result;
}

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const long n = write_some(descriptor, text);
        if (n <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

std::string_view name() { return "linux"; }
std::string_view command_line() { return arguments; }
void console_write(std::string_view text) { write_all(STDOUT_FILENO, text); }
bool power_off_requested() { return stop_requested != 0; }

void power_off(int status) { _exit(status); }

void panic(std::string_view unique_text) {
    write_all(STDOUT_FILENO, "unibpf panic: ");
    write_all(STDOUT_FILENO, unique_text);
    write_all(STDOUT_FILENO, "\n");
    std::abort();  // the host sees SIGABRT
}

std::uint64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t entry_ns() { return entered_ns; }

std::uint64_t wall_clock_us() { return static_cast<std::uint64_t>(static_cast<std::int64_t>(monotonic_ns() / 1000) + wall_offset_us); }
void set_wall_clock_us(std::uint64_t now_us) { wall_offset_us = static_cast<std::int64_t>(now_us) - static_cast<std::int64_t>(monotonic_ns() / 1000); }

void idle_until(std::uint64_t deadline_ns) {
    pollfd waits[most_devices];
    nfds_t count = 0;
    for (std::size_t i = 0; i < device_count; ++i) {
        const int descriptor = devices[i]->descriptor();
        if (descriptor < 0) continue;
        waits[count++] = {descriptor, static_cast<short>(POLLIN | (devices[i]->wants_write() ? POLLOUT : 0)), 0};
    }
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t rest = deadline_ns > now ? deadline_ns - now : 0;
    const timespec timeout{static_cast<time_t>(rest / second_ns), static_cast<long>(rest % second_ns)};
    ppoll(waits, count, &timeout, nullptr);
}

std::span<std::byte> alloc_region(std::size_t bytes) {
    bytes = (bytes + 4095) & ~std::size_t{4095};
    if (bytes == 0 || bytes > region_available()) return {};
    // MAP_32BIT: below 2 GiB, so that addresses fit the 32-bit fields of xdp_md.
    const int where = next_region == 0 ? MAP_32BIT : MAP_FIXED_NOREPLACE;
    void* const wanted = reinterpret_cast<void*>(next_region);  // a number until the kernel maps something there
    void* region = mmap(wanted, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | where, -1, 0);
    if (region == MAP_FAILED) return {};
    if (next_region != 0) next_region += bytes;
    regions_bytes += bytes;
    return {static_cast<std::byte*>(region), bytes};
}

std::uint64_t device_address(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }
std::size_t region_available() { return region_limit - regions_bytes; }
std::span<std::byte> boot_module() { return module_bytes; }
std::size_t memory_total() { return regions_bytes; }

bool entropy(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t n = getrandom(out.data(), out.size(), 0);
        if (n <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

std::span<FrameDevice* const> frame_devices() { return {frame_list, device_count}; }
std::span<const std::uint64_t> virtio_mmio_windows() { return {}; }
InterruptMessage wake_message() { return {0, 0}; }
bool has_pci() { return false; }
std::uint32_t pci_read(std::uint8_t, std::uint8_t, std::uint8_t) { return 0xffffffff; }
void pci_write(std::uint8_t, std::uint8_t, std::uint8_t, std::uint32_t) {}

namespace linux_process {

void place_regions_at(std::uintptr_t address) { next_region = address; }
void set_boot_module(std::span<std::byte> module) { module_bytes = module; }
void set_command_line(std::string_view text) { arguments = text; }
void note_entry() { entered_ns = monotonic_ns(); }

void add_device(Device* device) {
    if (device_count == most_devices) fail("too many NICs, expected at most", "16");
    devices[device_count] = device;
    frame_list[device_count++] = device;
}

void ask_power_off() { stop_requested = 1; }

void install_signals() {
    struct sigaction action{};
    action.sa_handler = [](int) { ask_power_off(); };
    for (const int number : power_off_signals) sigaction(number, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void fail(std::string_view what, std::string_view literal) {
    std::fprintf(stderr, "unibpf-guest: %.*s `%.*s`\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(literal.size()), literal.data());
    std::exit(2);
}

}  // namespace linux_process
}  // namespace unibpf::platform
