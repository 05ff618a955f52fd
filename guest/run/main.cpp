// unibpf-run: runs a bundle on packets with one of the guest's engines and prints what came out.
//
// The same decoder, validator, loader, maps and helpers as in a guest, without graph, element or signature.
// Exit status: 0 every packet ran to its exit, 1 the bundle was refused or a run was stopped, 2 usage.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "guest/run/load.hpp"
#include "guest/run/options.hpp"
#include "guest/run/report.hpp"

namespace unibpf::run {
namespace {

std::optional<Bytes> read_bundle(const std::string& path) {
    std::ifstream file;
    if (path != "-") file.open(path, std::ios::binary);
    std::istream& in = path == "-" ? std::cin : file;
    if (!in) return {};
    return Bytes{std::istreambuf_iterator<char>{in}, {}};
}

Result<Owned<Program>> load_bytes(const Bytes& bytes, bool native) {
    static BundleView view;
    TRY(decode_bundle(bytes, view));
    return load(view, native);
}

// Nothing, or what is wrong with an entry.
std::string fill(const Program& program, const std::vector<MapEntry>& entries) {
    for (const MapEntry& entry : entries) {
        const auto found = std::find_if(program.maps().begin(), program.maps().end(), [&](const MapRef& map) { return map->name() == entry.map; });
        const std::string what = "entry `" + hex(entry.key.data(), entry.key.size()) + "` of map `" + entry.map + "`: ";
        if (found == program.maps().end()) return what + "the program has no such map";
        Map& map = **found;
        if (entry.key.size() != map.key_size() || entry.value.size() != map.value_size()) {
            return what + "expected a key of " + std::to_string(map.key_size()) + " and a value of " + std::to_string(map.value_size()) + " bytes";
        }
        const long status = map.update(entry.key.data(), entry.value.data(), abi::update_any);
        if (status != 0) return what + "the map refused it with error " + std::to_string(-status);
    }
    return {};
}

using Clock = std::chrono::steady_clock;

double mean_ns(Clock::duration total, std::uint64_t runs) {
    return std::chrono::duration<double, std::nano>(total).count() / static_cast<double>(runs);
}

Stop execute(Machine& machine, const Options& options) {
    return options.jit ? jit::run(machine) : interpret(machine, options.policy);
}

void record(RunReport& report, const Machine& machine, Packet& packet) {
    report.code = machine.r0;
    report.instructions = machine.executed;
    report.trap = machine.trap;
    if (report.stop == Stop::exit && !abi::describe(machine.program.kind()).returns_port && report.code == abi::xdp_redirect) {
        report.redirect_port = machine.redirect_port;
    }
    report.packet = hex(packet.data(), packet.length());
}

// Every repetition gets a fresh packet; each is timed for itself, so a reading of the clock is part of the mean.
RunReport run_packet(const Program& program, const Bytes& bytes, const Options& options) {
    RunReport report;
    Clock::duration total{};
    for (std::uint64_t i = 0; i < options.repeat; ++i) {
        PacketPtr packet = packet_of(bytes);
        Machine machine{program, *packet, options.budget};
        if (options.policy == Policy::checking) std::memset(machine.stack, 0, sizeof machine.stack);
        const auto start = Clock::now();
        report.stop = execute(machine, options);
        total += Clock::now() - start;
        if (i + 1 == options.repeat) record(report, machine, *packet);
    }
    report.ns = mean_ns(total, options.repeat);
    return report;
}

// As BPF_PROG_TEST_RUN repeats: each run gets the packet as the one before left it, and all of them are timed as one.
RunReport run_in_place(const Program& program, const Bytes& bytes, const Options& options) {
    RunReport report;
    PacketPtr packet = packet_of(bytes);
    const auto start = Clock::now();
    std::uint64_t runs = 0;
    do {
        Machine machine{program, *packet, options.budget};
        report.stop = execute(machine, options);
        ++runs;
        if (runs < options.repeat && report.stop == Stop::exit) continue;
        report.ns = mean_ns(Clock::now() - start, runs);
        record(report, machine, *packet);
    } while (runs < options.repeat && report.stop == Stop::exit);
    return report;
}

int run(const Options& options) {
    const auto bytes = read_bundle(options.bundle);
    if (!bytes) {
        std::cerr << "error: cannot read `" << options.bundle << "`\n";
        return 2;
    }
    const auto loaded = load_bytes(*bytes, options.jit);
    if (!loaded.ok()) {
        std::cerr << "error[" << loaded.error().rule << "]: " << loaded.error().text << " (got " << loaded.error().value << ")\n";
        return 1;
    }
    const Program& program = *loaded.value();
    if (const std::string wrong = fill(program, options.entries); !wrong.empty()) {
        std::cerr << "error: " << wrong << "\n";
        return 2;
    }
    std::FILE* output = separate_output_from_console();
    bool stopped = false;
    for (std::size_t i = 0; i < options.packets.size(); ++i) {
        const RunReport report = (options.in_place ? run_in_place : run_packet)(program, options.packets[i], options);
        const bool with_maps = options.maps && i + 1 == options.packets.size();
        std::fputs((options.json ? report_json : report_text)(program, report, with_maps).c_str(), output);
        stopped |= report.stop != Stop::exit;
    }
    std::fclose(output);
    return stopped ? 1 : 0;
}

}  // namespace
}  // namespace unibpf::run

int main(int argc, char** argv) {
    using namespace unibpf::run;
    std::string error;
    const auto options = parse_options(argc, argv, error);
    if (!options) {
        std::cerr << "error: " << error << "\n" << usage;
        return 2;
    }
    if (options->opcodes) {
        std::cout << opcodes_json();
        return 0;
    }
    return run(*options);
}
