// From start.S to guest_main: what C++ and the libraries need, in the order they need it.
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"

extern "C" {
extern std::uint64_t start_info_address;
using Constructor = void (*)();
extern const Constructor init_begin[], init_end[];
}

namespace unibpf::platform {
namespace {

constexpr std::uint32_t kFsBase = 0xc000'0100;

// Debian's BearSSL and libsodium read their stack canary from %fs:0x28 (System V TLS layout).
std::uint64_t thread_block[8];

void set_canary() {
    thread_block[5] = cpu::read_tsc() * 0x9e37'79b9'7f4a'7c15 & ~0xffull;  // a zero byte stops string overruns
    cpu::write_msr(kFsBase, reinterpret_cast<std::uint64_t>(thread_block));
}

}  // namespace

extern "C" [[noreturn]] void pvh_main() {
    set_canary();
    pvh::install_traps();
    pvh::read_start_info(start_info_address);
    pvh::protect_image();
    pvh::find_machine();
    pvh::start_clock();
    for (const Constructor* constructor = init_begin; constructor != init_end; ++constructor) (*constructor)();
    guest_main();
}

}  // namespace unibpf::platform
