// test_soundness: what the analyser accepts must never trap in the checking interpreter, must never run longer than the
// instruction bound in its report, and its registers must be what was claimed of them. Prints the seed of the first program that does, and its instructions.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/packet/packet.hpp"
#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/claims.hpp"
#include "tests/soundness/generator.hpp"

namespace {

using namespace unibpf;
using soundness::Bytes;
using soundness::ProgramGenerator;

constexpr std::uint64_t budget = 2'000'000;
constexpr unsigned packets_each = 12, claims_each = 10;

struct Options {
    std::uint64_t programs = 1000, seed = 1;
    bool verbose = false;
};

struct Tally {
    std::uint64_t programs = 0, accepted = 0, runs = 0, instructions = 0;
    std::uint64_t slowest_seed = 0;
    double slowest_ms = 0;
    soundness::ClaimTally claims;

    void note_time(std::uint64_t seed, double ms) {
        if (ms > slowest_ms) slowest_ms = ms, slowest_seed = seed;
    }
};

void print_program(const std::vector<Instruction>& code) {
    for (std::size_t at = 0; at < code.size(); ++at) {
        const Instruction& in = code[at];
        const Operation operation = find_operation(in);
        const std::string_view name = operation == Operation::count ? "(second half)" : operation_names[static_cast<std::size_t>(operation)];
        std::printf("%4zu  %-18.*s dst r%d src r%d off %d imm %d\n", at, static_cast<int>(name.size()), name.data(), in.dst, in.src, in.offset, in.imm);
    }
}

Result<Owned<Program>> load(const Bytes& bundle) {
    static BundleView view;
    static ProgramShape shape;
    static MapReport report;
    TRY(decode_bundle(bundle, view));
    TRY(validate_program(view, shape));
    Loader loader{view};
    TRY(loader.build_maps({}, nullptr, report));
    return loader.link(shape);
}

// True if the run ended as the verdict promised.
bool run(const Program& program, const Bytes& bytes, const analyser::Report& report, Tally& tally) {
    PacketPtr packet = PacketPool::system().acquire();
    packet->put(static_cast<std::uint16_t>(bytes.size()));
    std::memcpy(packet->data(), bytes.data(), bytes.size());
    Machine machine{program, *packet, budget};
    std::memset(machine.stack, 0xa5, sizeof machine.stack);
    const Stop stop = interpret(machine, Policy::checking);
    ++tally.runs;
    tally.instructions += machine.executed();
    const bool may_exceed = !report.instruction_bound || *report.instruction_bound > budget;
    if (stop != Stop::exit && !(stop == Stop::budget && may_exceed)) {
        std::printf("trap: %s at instruction %u, packet of %zu bytes\n", stop == Stop::budget ? "budget" : machine.trap.text, machine.trap.instruction, bytes.size());
        return false;
    }
    if (report.instruction_bound && machine.executed() > *report.instruction_bound) {
        std::printf("bound: ran %llu instructions, promised at most %llu\n", static_cast<unsigned long long>(machine.executed()),
                    static_cast<unsigned long long>(*report.instruction_bound));
        return false;
    }
    return true;
}

soundness::Run run_once(const std::vector<Instruction>& code, const Bytes& bytes) {
    const auto program = load(ProgramGenerator::bundle(code));
    if (!program.ok()) return {};
    PacketPtr packet = PacketPool::system().acquire();
    packet->put(static_cast<std::uint16_t>(bytes.size()));
    std::memcpy(packet->data(), bytes.data(), bytes.size());
    Machine machine{*program.value(), *packet, budget};
    std::memset(machine.stack, 0xa5, sizeof machine.stack);
    const Stop stop = interpret(machine, Policy::checking);
    return {stop == Stop::exit, machine.r0};
}

bool try_program(std::uint64_t seed, const Options& options, Tally& tally) {
    ProgramGenerator generator{seed};
    const auto code = generator.program();
    const Bytes bundle = ProgramGenerator::bundle(code);
    const auto start = std::chrono::steady_clock::now();
    const analyser::Report report = analyser::examine(bundle, {.max_seconds = 1e9, .invariants = true});
    tally.note_time(seed, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    ++tally.programs;
    if (options.verbose) std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), analyser::to_json(report).c_str());
    if (report.verdict != analyser::Verdict::safe) return true;
    ++tally.accepted;
    const auto program = load(bundle);
    if (!program.ok()) {
        std::printf("seed %llu: accepted, but the guest does not load it: %s\n", static_cast<unsigned long long>(seed), program.error().text);
        return false;
    }
    for (unsigned i = 0; i < packets_each; ++i) {
        const Bytes packet = generator.packet();
        const bool ran = run(*program.value(), packet, report, tally);
        if (ran && soundness::claims_hold(code, *report.invariants, packet, seed * packets_each + i, claims_each, run_once, tally.claims)) continue;
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        print_program(code);
        return false;
    }
    return true;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--verbose") {
            options.verbose = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const std::string_view value = argv[++i];
        std::uint64_t number = 0;
        if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc{}) return false;
        if (name == "--programs") options.programs = number;
        else if (name == "--seed") options.seed = number;
        else return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fputs("usage: test_soundness [--programs N] [--seed N] [--verbose]\n", stderr);
        return 2;
    }
    Tally tally;
    for (std::uint64_t i = 0; i < options.programs; ++i) {
        if (!try_program(options.seed + i, options, tally)) return 1;
    }
    std::printf("programs %llu, accepted %llu, runs %llu, instructions %llu\n", static_cast<unsigned long long>(tally.programs),
                static_cast<unsigned long long>(tally.accepted), static_cast<unsigned long long>(tally.runs), static_cast<unsigned long long>(tally.instructions));
    std::printf("claims checked %llu\n", static_cast<unsigned long long>(tally.claims.checked));
    std::printf("slowest analysis %.1f ms, seed %llu\n", tally.slowest_ms, static_cast<unsigned long long>(tally.slowest_seed));
    // A generator whose programs are all refused would prove nothing.
    return options.programs >= 1000 && tally.accepted * 20 < tally.programs ? 1 : 0;
}
