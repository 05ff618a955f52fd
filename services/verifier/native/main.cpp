// unibpf-analyse: bundle bytes on standard input, a report as JSON on standard output. Exit 0 whenever a verdict was printed.
//
// The bytes come from strangers. Before the first of them is read the process gives up what it does not need: no new privileges,
// no file at a time but its own status, bounded memory and CPU time. A limit that strikes ends in the verdict `gave_up`.
// What must not fail for want of memory (the input and the report) is outside the limit, and bounded by itself.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "services/verifier/native/memory.hpp"
#include "services/verifier/native/report/report.hpp"

namespace {

using namespace unibpf::analyser;

constexpr std::size_t largest_input = 1 << 20;
constexpr int exit_usage = 2, exit_failed = 3;

constexpr const char* usage =
    "usage: unibpf-analyse [options] < BUNDLE\n"
    "  --platform guest|linux-xdp   what the platform offers (default guest)\n"
    "  --hook driver|devmap|cpumap  where Linux attaches the program (default driver)\n"
    "  --termination on|off         demand a bound for every loop (default on)\n"
    "  --budget N                   instructions that a guest gives one packet (default 1000000)\n"
    "  --max-seconds N              CPU time (default 10)\n"
    "  --max-mebibytes N            memory of the analysis (default 1024)\n"
    "  --invariants on|off          report what is known before each instruction (default off)\n"
    "  --certificate on|off         report what proves a verdict `safe` to unibpf-check (default off; guests only)\n"
    "  --cfg dot|off                report the control-flow graph, in Graphviz' DOT (default off)\n"
    "  --version\n";

bool parse_option(std::string_view name, std::string_view value, Options& options) {
    if (name == "--platform" && (value == "guest" || value == "linux-xdp")) {
        options.platform = value == "guest" ? Platform::guest : Platform::linux_xdp;
        return true;
    }
    if (name == "--hook" && (value == "driver" || value == "devmap" || value == "cpumap")) {
        options.hook = value == "driver"   ? Hook::driver
                       : value == "devmap" ? Hook::devmap
                                           : Hook::cpumap;
        return true;
    }
    if (name == "--termination" && (value == "on" || value == "off")) {
        options.termination = value == "on";
        return true;
    }
    if (name == "--invariants" && (value == "on" || value == "off")) {
        options.invariants = value == "on";
        return true;
    }
    if (name == "--certificate" && (value == "on" || value == "off")) {
        options.certificate = value == "on";
        return true;
    }
    if (name == "--cfg" && (value == "dot" || value == "off")) {
        options.graph = value == "dot";
        return true;
    }
    if (name == "--budget") {
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.budget);
        return error == std::errc{} && end == value.data() + value.size() && options.budget != 0;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || !(number > 0) || number > 1e6) return false;
    if (name == "--max-seconds") options.max_seconds = number;
    else if (name == "--max-mebibytes") options.max_mebibytes = static_cast<std::uint64_t>(number) + (number < 1 ? 1 : 0);
    else return false;
    return true;
}

// The analysis counts its own time; this strikes only if it forgets to. Only functions that signals may call.
void on_cpu_limit(int) {
    static constexpr char text[] =
        "{\"verdict\":\"gave_up\",\"findings\":[{\"rule\":\"limits\",\"instruction\":0,\"message\":\"the analysis takes longer than its limit\","
        "\"known\":[],\"hint\":\"split the program, or raise the limits\"}],\"stack_bytes\":0,\"instruction_bound\":null,\"loops\":[],"
        "\"instructions\":0,\"helpers\":[],\"maps\":[],\"cpu_ms\":0,\"peak_kib\":0,\"version\":\"0.1.0\"}\n";
    const auto written = write(STDOUT_FILENO, text, sizeof text - 1);
    _exit(written == static_cast<ssize_t>(sizeof text - 1) ? 0 : exit_failed);
}

// A limit that is tighter already stays.
bool limit(int resource, rlim_t soft, rlim_t hard) {
    rlimit wanted{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &wanted) != 0) return false;
    wanted = {std::min({soft, wanted.rlim_cur, wanted.rlim_max}), std::min(hard, wanted.rlim_max)};
    return setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
}

bool confine(const Options& options) {
    std::signal(SIGXCPU, on_cpu_limit);
    const auto seconds = static_cast<rlim_t>(options.max_seconds) + 2;
    const rlim_t memory = (options.max_mebibytes << 20) + memory::overhead;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CPU, seconds, seconds + 1) && limit(RLIMIT_AS, memory, memory) &&
           limit(RLIMIT_FSIZE, 16 << 20, 16 << 20) && limit(RLIMIT_NOFILE, 4, 4) && limit(RLIMIT_CORE, 0, 0);
}

// One byte more than allowed is read, so that too much can be told from just enough.
bool read_input(std::vector<std::uint8_t>& bytes) {
    std::size_t size = 0;
    bytes.resize(1 << 16);
    while (size <= largest_input) {
        if (size == bytes.size()) bytes.resize(std::min(2 * size, largest_input + 1));
        const ssize_t got = read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
        if (got < 0) return false;
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return true;
}

Report judge(const std::vector<std::uint8_t>& input, const Options& options) {
    if (input.size() > largest_input) return refuse(Verdict::unsupported, {Rule::malformed, "bundle is larger than 1 MiB"});
    memory::limit(options.max_mebibytes << 20);
    try {
        Report report = examine(input, options);
        memory::lift();
        return report;
    } catch (const std::bad_alloc&) {
        memory::lift();
        return refuse(Verdict::gave_up, {Rule::limits, "the analysis needs more memory than its limit"});
    }
}

int fail(const char* text) {
    std::fprintf(stderr, "error: %s\n", text);
    return exit_failed;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (argc == 2 && std::string_view{argv[1]} == "--version") {
        std::printf("unibpf-analyse %s\n", analyser_version);
        return 0;
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !parse_option(argv[i], argv[i + 1], options)) {
            std::fputs(usage, stderr);
            return exit_usage;
        }
    }
    if (!confine(options)) return fail("the process cannot limit itself");
    std::vector<std::uint8_t> input;
    if (!read_input(input)) return fail("standard input cannot be read");
    const Report report = judge(input, options);
    const std::string text = to_json(report) + "\n";
    return write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : fail("standard output cannot be written");
}
