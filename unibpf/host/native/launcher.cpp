// unibpf-fence: shut this process in, then become the program that reads strangers' bytes.
//
//   unibpf-fence OPTION... PROGRAM [ARGUMENT...]
//     -l RESOURCE:SOFT:HARD   a limit (setrlimit(2), by number); only ever down
//     -r PATH                 what is beneath may be read, and run
//     -w PATH                 what is beneath may be read and changed
//     -f HEX                  the filter of system calls (unibpf/host/seccomp.py), last of all
//     -p PID                  who asked: it ends with that process
//
// What is right is decided in unibpf/host/fence.py; this does what it is told, in an order that leaves nothing open, or does
// not begin (exit 126). Written by hand: between fork and exec of a service there is no place for an interpreter.
// Sources: landlock(7), seccomp(2), capset(2), prctl(2) of Linux.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

namespace {

constexpr int exit_not_begun = 126;
constexpr std::size_t most_steps = 512;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "unibpf-fence: %s: %s\n", what, std::strerror(errno));
    std::_Exit(exit_not_begun);
}

// --- files: landlock(7). Its structures are written down here, because headers older than the kernel lack the newer fields.

struct Ruleset {
    std::uint64_t files, network, scopes;
};

struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};

constexpr std::uint64_t execute = 1 << 0, write_file = 1 << 1, read_file = 1 << 2, read_folder = 1 << 3, truncate_file = 1 << 14, device_control = 1 << 15;
constexpr std::uint64_t make_kinds = 0x7f << 6, remove_kinds = (1 << 4) | (1 << 5), refer = 1 << 13;
constexpr std::uint64_t of_files = execute | write_file | read_file | truncate_file | device_control;
constexpr std::uint64_t reading = execute | read_file | read_folder;
// No devices, sockets or links are made.
constexpr std::uint64_t changing = reading | write_file | truncate_file | remove_kinds | (1 << 7) | (1 << 8) | refer;
constexpr long version_query = 1;

class Files {
  public:
    // A kernel without Landlock leaves the rights of the user; unibpf.host.fence says so to who asks.
    Files() : version_(static_cast<int>(syscall(SYS_landlock_create_ruleset, nullptr, 0, version_query))) {
        if (version_ < 1) return;
        handled_ = execute | write_file | read_file | read_folder | remove_kinds | make_kinds;
        if (version_ >= 2) handled_ |= refer;
        if (version_ >= 3) handled_ |= truncate_file;
        if (version_ >= 5) handled_ |= device_control;
        const Ruleset wanted{handled_, version_ >= 4 ? 3U : 0U, version_ >= 6 ? 3U : 0U};  // no TCP; no foreign signals or sockets
        const std::size_t size = version_ >= 6 ? 24 : version_ >= 4 ? 16
                                                                    : 8;
        rules_ = static_cast<int>(syscall(SYS_landlock_create_ruleset, &wanted, size, 0));
        if (rules_ < 0) give_up("landlock");
    }

    void allow(const char* path, std::uint64_t rights) const {
        if (version_ < 1) return;
        const int place = open(path, O_PATH | O_CLOEXEC);
        if (place < 0) return;  // what is not there needs no right
        struct stat found{};
        if (fstat(place, &found) != 0) give_up(path);
        if (!S_ISDIR(found.st_mode)) rights &= of_files;
        const PathBeneath rule{rights & handled_, place};
        if (syscall(SYS_landlock_add_rule, rules_, 1, &rule, 0) != 0) give_up(path);
        close(place);
    }

    void close_all() const {
        if (version_ < 1) return;
        if (syscall(SYS_landlock_restrict_self, rules_, 0) != 0) give_up("landlock");
        close(rules_);
    }

  private:
    int version_, rules_ = -1;
    std::uint64_t handled_ = 0;
};

// --- the rest ---------------------------------------------------------------------------------------------------------------

void limit(const char* text) {
    unsigned resource = 0;
    unsigned long long soft = 0, hard = 0;
    if (std::sscanf(text, "%u:%llu:%llu", &resource, &soft, &hard) != 3) give_up(text);
    rlimit now{};
    const auto which = static_cast<__rlimit_resource>(resource);
    if (getrlimit(which, &now) != 0) give_up(text);
    const rlim_t most = std::min<rlim_t>(hard, now.rlim_max);
    const rlimit wanted{std::min({static_cast<rlim_t>(soft), now.rlim_cur, most}), most};
    if (setrlimit(which, &wanted) != 0) give_up(text);
}

// After no_new_privs a program of root gets no capability back by exec.
void drop_capabilities() {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    if (syscall(SYS_capset, &head, none.data()) != 0) give_up("capset");
}

void end_with(const char* text) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) give_up("parent");
    if (getppid() != std::atoi(text)) std::_Exit(exit_not_begun);  // it has ended meanwhile
}

unsigned digit(char letter) { return static_cast<unsigned>(letter <= '9' ? letter - '0' : letter - 'a' + 10); }

void filter(std::string_view hex) {
    static std::array<sock_filter, most_steps> steps;
    const std::size_t size = hex.size() / 2;
    if (size == 0 || size > sizeof steps || size % sizeof(sock_filter) != 0) give_up("filter");
    auto* bytes = reinterpret_cast<unsigned char*>(steps.data());
    for (std::size_t at = 0; at < size; ++at) bytes[at] = static_cast<unsigned char>(digit(hex[2 * at]) << 4 | digit(hex[2 * at + 1]));
    const sock_fprog program{static_cast<unsigned short>(size / sizeof(sock_filter)), steps.data()};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) give_up("seccomp");
}

}  // namespace

int main(int count, char** words) {
    const char* system_calls = nullptr;
    const char* parent = nullptr;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("no_new_privs");
    const Files files;
    int option = 0;
    while ((option = getopt(count, words, "+l:r:w:f:p:")) != -1) switch (option) {
            case 'l': limit(optarg); break;
            case 'r': files.allow(optarg, reading); break;
            case 'w': files.allow(optarg, changing); break;
            case 'f': system_calls = optarg; break;
            case 'p': parent = optarg; break;
            default: return exit_not_begun;
        }
    if (system_calls == nullptr || parent == nullptr || optind >= count) return exit_not_begun;
    drop_capabilities();
    end_with(parent);
    files.close_all();
    if (close_range(3, ~0U, 0) != 0) give_up("descriptors");
    filter(system_calls);
    execv(words[optind], words + optind);
    give_up(words[optind]);
}
