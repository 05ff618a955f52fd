// unibpf-guest BOOT_IMAGE [--nic NAME=MAC:KIND:ARGUMENT]...: the guest as a process. linux.hpp lists the kinds.
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/platform/linux/linux.hpp"

namespace {

using namespace unibpf::platform;

// The image stays mapped for the guest's life; a private copy, so that nobody changes it under the guest's feet.
std::span<std::byte> map_boot_image(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts{};
    if (file < 0 || fstat(file, &facts) != 0 || facts.st_size == 0) linux_process::fail("cannot read boot image", path);
    const auto size = static_cast<std::size_t>(facts.st_size);
    void* copy = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED || read(file, copy, size) != static_cast<ssize_t>(size)) linux_process::fail("cannot read boot image", path);
    close(file);
    return {static_cast<std::byte*>(copy), size};
}

}  // namespace

int main(int argc, char** argv) {
    linux_process::note_entry();
    if (argc < 2) linux_process::fail("usage:", "unibpf-guest BOOT_IMAGE [--nic NAME=MAC:KIND:ARGUMENT]...");
    linux_process::set_boot_module(map_boot_image(argv[1]));
    for (int i = 2; i < argc; i += 2) {
        if (std::string_view{argv[i]} != "--nic" || i + 1 == argc) linux_process::fail("expected --nic NAME=MAC:KIND:ARGUMENT, got", argv[i]);
        linux_process::add_device(linux_process::open_device(argv[i + 1]));
    }
    linux_process::install_signals();
    unibpf::guest_main();
}
