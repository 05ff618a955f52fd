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
#include <map>

#include "guest/run/load.hpp"
#include "guest/run/load_costs.hpp"
#include "guest/run/options.hpp"
#include "guest/run/output.hpp"
#include "guest/run/report.hpp"
#include "guest/run/tables.hpp"

namespace unibpf::run {
namespace {

std::optional<Bytes> read_bundle(const std::string& path) {
    std::ifstream file;
    if (path != "-") file.open(path, std::ios::binary);
    std::istream& in = path == "-" ? std::cin : file;
    if (!in) return {};
    return Bytes{std::istreambuf_iterator<char>{in}, {}};
}

Result<Owned<Program>> load_bytes(const Bytes& bytes, const Options& options) {
    static BundleView view;
    TRY(decode_bundle(bytes, view));
    return load(view, options.jit, options.guarded ? jit::Guard::always : jit::Guard::off);
}

// Empty, or what is wrong with an entry that was asked for.
std::string set_entries(const Program& program, const std::vector<Preset>& presets) {
    for (const Preset& preset : presets) {
        Map* map = program.find_map(preset.map);
        if (map == nullptr) return "the program has no map `" + preset.map + "`";
        if (preset.key.size() != map->key_size() || preset.value.size() != map->value_size()) return "an entry of `" + preset.map + "` has other sizes";
        const long result = map->update(preset.key.data(), preset.value.data(), abi::update_any);
        if (result != 0) return "map `" + preset.map + "` does not take the entry (error " + std::to_string(-result) + ")";
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
    report.instructions = machine.executed();
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

// As BPF_PROG_TEST_RUN repeats: each run gets the packet as the one before left it, and all of them are timed as one. The engine
// is chosen before the clock starts, as an element's is before a packet comes.
template <typename Engine>
RunReport run_in_place_with(Engine engine, const Program& program, const Bytes& bytes, const Options& options) {
    RunReport report;
    PacketPtr packet = packet_of(bytes);
    Machine machine{program, *packet, options.budget};
    std::uint64_t runs = 0;
    const auto start = Clock::now();
    while (runs < options.repeat) {
        machine.begin(*packet);
        report.stop = engine(machine);
        ++runs;
        if (report.stop != Stop::exit) [[unlikely]]
            break;
    }
    report.ns = mean_ns(Clock::now() - start, runs);
    record(report, machine, *packet);
    return report;
}

RunReport run_in_place(const Program& program, const Bytes& bytes, const Options& options) {
    if (options.jit) return run_in_place_with([](Machine& machine) { return jit::run(machine); }, program, bytes, options);
    return run_in_place_with([&](Machine& machine) { return interpret(machine, options.policy); }, program, bytes, options);
}

int refused(const Error& error) {
    std::cerr << "error[" << error.rule << "]: " << error.text << " (got " << error.value << ")\n";
    return 1;
}

int print_load_costs(const Bytes& bundle, std::uint64_t times) {
    const auto costs = measure_load_costs(bundle, times);
    if (!costs.ok()) return refused(costs.error());
    std::cout << costs.value();
    return 0;
}

std::string summary(const std::map<std::string, std::size_t>& verdicts, std::size_t packets) {
    std::string text = std::to_string(packets) + " packets:";
    for (const auto& [verdict, count] : verdicts) text += (text.ends_with(':') ? " " : ", ") + std::to_string(count) + " " + verdict;
    return text + "\n";
}

int run(const Options& options) {
    const auto bytes = read_bundle(options.bundle);
    if (!bytes) {
        std::cerr << "error: cannot read `" << options.bundle << "`\n";
        return 2;
    }
    if (options.loads > 0) return print_load_costs(*bytes, options.loads);
    const auto loaded = load_bytes(*bytes, options);
    if (!loaded.ok()) return refused(loaded.error());
    const Program& program = *loaded.value();
    if (const std::string wrong = set_entries(program, options.presets); !wrong.empty()) {
        std::cerr << "error: " << wrong << "\n";
        return 2;
    }
    std::FILE* output = separate_output_from_console();
    std::ofstream left;
    if (!options.packets_out.empty()) left.open(options.packets_out);
    std::map<std::string, std::size_t> verdicts;
    const bool are_numbered = options.packets.size() > 1 && !options.json;
    bool stopped = false;
    for (std::size_t i = 0; i < options.packets.size(); ++i) {
        const RunReport report = (options.in_place ? run_in_place : run_packet)(program, options.packets[i], options);
        const bool with_maps = options.maps && i + 1 == options.packets.size();
        if (are_numbered) std::fprintf(output, "%zu: ", i + 1);
        std::fputs((options.json ? report_json : report_text)(program, report, with_maps).c_str(), output);
        if (leaves(program, report)) left << report.packet << '\n';
        ++verdicts[verdict_name(program, report)];
        stopped |= report.stop != Stop::exit;
    }
    if (are_numbered) std::fputs(summary(verdicts, options.packets.size()).c_str(), output);
    std::fclose(output);
    if (!options.packets_out.empty() && !left.flush()) {
        std::cerr << "error: cannot write `" << options.packets_out << "`\n";
        return 2;
    }
    return stopped ? 1 : 0;
}

}  // namespace
}  // namespace unibpf::run

int main(int argc, char** argv) {
    using namespace unibpf::run;
    std::string error;
    const auto options = parse_options(argc, argv, error);
    if (!options) {
        std::cerr << "error: " << error << "\n"
                  << usage;
        return 2;
    }
    if (options->opcodes || options->tables) {
        std::cout << (options->opcodes ? opcodes_json() : tables_json());
        return 0;
    }
    return run(*options);
}
