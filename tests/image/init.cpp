// The first process of a small Linux VM (tests/support/guests/linux_vm.py): loads kernel modules, brings network interfaces up, and runs
// one guest process at a time.
//
// Orders come on the second serial port: 4 bytes big-endian length, then arguments that end with a NUL each, an empty one, and
// the bytes of the file /boot. What ran before is killed. The argument `terminate` alone sends SIGTERM to what runs. Says on the console `init: ready` at the start, `init: started` before
// each guest, and what became of each that ended: `init: ended by signal 11`, `init: ended with status 0`.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::array modules = {"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
                                "failover", "net_failover", "virtio_net"};  // each after those it needs
constexpr std::array interfaces = {"eth0", "eth1", "eth2"};

// The end of the first process is a panic of the kernel, which ends the VM.
void must(bool good, const char* what) {
    if (good) return;
    std::printf("init: cannot %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

void load_module(const std::string& name) {
    const int file = open(("/modules/" + name + ".ko").c_str(), O_RDONLY | O_CLOEXEC);
    must(file >= 0 && syscall(SYS_finit_module, file, "", 0) == 0, ("load module " + name).c_str());
    close(file);
}

void bring_up(const char* interface) {
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP;
    must(ioctl(any, SIOCSIFFLAGS, &request) == 0, "bring an interface up");
    close(any);
}

int open_orders() {
    const int port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios raw{};
    must(port >= 0 && tcgetattr(port, &raw) == 0, "open /dev/ttyS1");
    cfmakeraw(&raw);
    must(tcsetattr(port, TCSANOW, &raw) == 0, "set /dev/ttyS1");
    return port;
}

void say_end(int status) {
    if (WIFSIGNALED(status)) std::printf("init: ended by signal %d\n", WTERMSIG(status));
    else std::printf("init: ended with status %d\n", WEXITSTATUS(status));
}

// Processes that have ended, until something is there to read.
void wait_for_order(int port) {
    pollfd wait{port, POLLIN, 0};
    while (poll(&wait, 1, 10) != 1) {
        int status = 0;
        if (waitpid(-1, &status, WNOHANG) > 0) say_end(status);
    }
}

std::string read_exactly(int port, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t have = 0; have < size;) {
        const ssize_t n = read(port, bytes.data() + have, size - have);
        must(n > 0, "read an order");
        have += static_cast<std::size_t>(n);
    }
    return bytes;
}

std::string read_order(int port) {
    std::uint32_t size = 0;
    for (const char byte : read_exactly(port, 4)) size = size << 8 | static_cast<std::uint8_t>(byte);
    return read_exactly(port, size);
}

void write_boot(const std::string& bytes) {
    const int file = open("/boot", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "write /boot");
    close(file);
}

pid_t start(std::string order) {
    std::vector<char*> arguments;
    std::size_t at = 0;
    for (; order[at] != '\0'; at += std::strlen(&order[at]) + 1) arguments.push_back(&order[at]);
    arguments.push_back(nullptr);
    write_boot(order.substr(at + 1));
    std::puts("init: started");
    const pid_t child = fork();
    if (child != 0) return child;
    execv(arguments[0], arguments.data());
    must(false, "execute");
    return 0;
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    must(mount("proc", "/proc", "proc", 0, nullptr) == 0, "mount /proc");
    for (const char* module : modules) load_module(module);
    for (const char* interface : interfaces) bring_up(interface);
    const int port = open_orders();
    std::puts("init: ready");
    for (pid_t child = 0;;) {
        wait_for_order(port);
        const std::string order = read_order(port);
        if (order.starts_with("terminate")) {
            must(child > 0 && kill(child, SIGTERM) == 0, "terminate");
            continue;
        }
        if (child > 0 && kill(child, SIGKILL) == 0) waitpid(child, nullptr, 0);
        child = start(order);
    }
}
