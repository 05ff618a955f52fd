// test_soundness: what the analyser accepts must never trap in the checking interpreter, must never run longer than the
// instruction bound in its report or its certificate's proof, and its registers must be what was claimed of them; numbers must not
// depend on where things lie. Prints the seed of the first program that does,
// and its instructions. Of every second program no loop is unrolled: what is claimed of loops is tried then, not of their rounds.
// Packets and maps lie above 2 GiB, where a sign is seen.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/packet/packet.hpp"
#include "guest/platform/linux/linux.hpp"
#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/certified.hpp"
#include "tests/soundness/claims.hpp"
#include "tests/soundness/coverage.hpp"
#include "tests/soundness/generator.hpp"

namespace {

using namespace unibpf;
using soundness::Bytes;
using soundness::ProgramGenerator;

constexpr std::uint64_t budget = 2'000'000;
constexpr unsigned packets_each = 12, claims_each = 20, places_each = 6;
constexpr std::uint64_t uncertified_in = 500;  // of so many accepted programs the checker may refuse one

struct Options {
    std::uint64_t programs = 1000, seed = 1;
    bool verbose = false, table = false, uncertified = false;
    const char* cover = nullptr;
};

struct Tally {
    std::uint64_t programs = 0, accepted = 0, runs = 0, instructions = 0;
    std::uint64_t slowest_seed = 0;
    double slowest_ms = 0;
    soundness::ClaimTally claims;
    soundness::Coverage coverage;
    soundness::Certified certified;

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

// What lies around a packet's bytes is what others left: here always the same.
PacketPtr packet_of(const Bytes& bytes) {
    PacketPtr packet = PacketPool::system().acquire();
    std::memset(packet->data() - packet->headroom(), 0x77, packet->headroom());
    std::memset(packet->end(), 0x77, packet->tailroom());
    packet->put(static_cast<std::uint16_t>(bytes.size()));
    std::memcpy(packet->data(), bytes.data(), bytes.size());
    return packet;
}

// True if the run ended as verdict and proof promised, as the policy counts.
bool run(const Program& program, const Bytes& bytes, const std::optional<std::uint64_t>& bound, Policy policy, Tally& tally) {
    PacketPtr packet = packet_of(bytes);
    Machine machine{program, *packet, budget};
    std::memset(machine.stack, 0xa5, sizeof machine.stack);
    const Stop stop = interpret(machine, policy);
    ++tally.runs;
    tally.instructions += machine.executed();
    const bool may_exceed = !bound || *bound > budget;
    if (stop != Stop::exit && !(stop == Stop::budget && may_exceed)) {
        std::printf("trap: %s at instruction %u, packet of %zu bytes\n", stop == Stop::budget ? "budget" : machine.trap.text, machine.trap.instruction, bytes.size());
        return false;
    }
    if (bound && machine.executed() > *bound) {
        std::printf("bound: %s %llu instructions, promised at most %llu\n", policy == Policy::checking ? "ran" : "was charged", static_cast<unsigned long long>(machine.executed()), static_cast<unsigned long long>(*bound));
        return false;
    }
    return true;
}

// `found`: what a stack holds that nobody has written.
soundness::Run run_once(const std::vector<Instruction>& code, std::uint32_t tail, const Bytes& bytes, int found = 0xa5) {
    const auto program = load(ProgramGenerator::bundle(code, tail));
    if (!program.ok()) return {};
    PacketPtr packet = packet_of(bytes);
    Machine machine{*program.value(), *packet, budget};
    std::memset(machine.stack, found, sizeof machine.stack);
    const Stop stop = interpret(machine, Policy::checking);
    const std::uint64_t context = machine.stack_top() - sizeof machine.stack - offsetof(MachineCore, stack) + offsetof(MachineCore, context);
    const Bytes left{packet->data(), packet->end()};
    return {stop == Stop::exit, machine.r0, machine.context.data, machine.context.data_end, machine.stack_top(), context, left};
}

bool asks_clocks_or_chance(const std::vector<Instruction>& code) {
    static constexpr std::int32_t asking[] = {5, 7, 118, 125, 160};
    return std::any_of(code.begin(), code.end(), [&](const Instruction& in) {
        return find_operation(in) == Operation::op_call_helper && std::find(std::begin(asking), std::end(asking), in.imm) != std::end(asking);
    });
}

// Nothing: the program does the same wherever its stack, maps and packets lie and whatever others left. Else what differs.
std::optional<std::pair<std::uint64_t, std::uint64_t>> differs_elsewhere(const std::vector<Instruction>& code, std::uint32_t tail, const Bytes& bytes) {
    const soundness::Run here = run_once(code, tail, bytes);
    const auto maps = load(ProgramGenerator::bundle(code, tail));
    const PacketPtr place = PacketPool::system().acquire();
    std::memset(__builtin_alloca(1040), 0, 1040);
    const soundness::Run there = run_once(code, tail, bytes, 0x5a);
    if (here.ended == there.ended && (!here.ended || (here.result == there.result && here.left == there.left))) return std::nullopt;
    return std::pair{here.result, there.result};
}

// A program that takes no address for a number, and reads what it has written, has the same numbers elsewhere, at whatever place it is
// cut open. Which way it goes may differ, where an address was aimed at 0: only places that both runs reach are looked at.
bool tells_no_address(const std::vector<Instruction>& code, std::size_t end, const analyser::Invariants& invariants, ProgramGenerator& generator, std::uint64_t seed) {
    if (asks_clocks_or_chance(code)) return true;
    const Bytes packet = generator.packet();
    std::mt19937_64 random{seed};
    for (unsigned i = 0; i < places_each; ++i) {
        const std::size_t at = random() % end;
        const auto reg = static_cast<unsigned>(random() % frame_register);
        const analyser::Claim& claim = invariants.before(at)[reg];
        std::vector<Instruction> open = code, marked = code;
        const bool is_number = claim.reached && claim.kind == analyser::Kind::number;
        if (!is_number || !soundness::cut_open(open, at, end, reg) || !soundness::cut_open(marked, at, end, soundness::no_register)) continue;
        if (run_once(marked, generator.tail(), packet).result != soundness::marker || differs_elsewhere(marked, generator.tail(), packet)) continue;
        const auto told = differs_elsewhere(open, generator.tail(), packet);
        if (!told) continue;
        std::printf("an address is told, or what others left: before instruction %zu r%u is %#llx and %#llx\n", at, reg, static_cast<unsigned long long>(told->first),
                    static_cast<unsigned long long>(told->second));
        return false;
    }
    return true;
}

// Chooses the constants that move pointers for where these point: the sum shall be 0, or where a number wraps or changes its sign.
void take_aim(std::vector<Instruction>& code, const ProgramGenerator& generator, std::size_t end, const Bytes& packet, std::uint64_t seed) {
    static constexpr std::uint64_t targets[] = {0, 0, 0, 0, 0x80000000, 0x100000000, 0x8000000000000000, ~std::uint64_t{0}};
    for (const soundness::Aim& aim : generator.aims()) {
        std::vector<Instruction> open = code;
        if (seed++ % 2 == 0 || !soundness::cut_open(open, aim.at, end, aim.reg)) continue;
        const soundness::Run run = run_once(open, generator.tail(), packet);
        if (!run.ended) continue;
        const std::uint64_t target = targets[seed / 2 % std::size(targets)];
        const std::uint64_t by = aim.backwards ? run.result - target : target - run.result;
        code[aim.at].imm = static_cast<std::int32_t>(by);
        code[aim.at + 1].imm = static_cast<std::int32_t>(by >> 32);
    }
}

bool try_program(std::uint64_t seed, const Options& options, Tally& tally) {
    ProgramGenerator generator{seed};
    auto code = generator.program();
    const std::size_t end = soundness::end_of_entry(code, generator.tail());
    if (!generator.aims().empty()) take_aim(code, generator, end, generator.packet(), seed);
    const Bytes bundle = ProgramGenerator::bundle(code, generator.tail());
    const auto start = std::chrono::steady_clock::now();
    const analyser::Report report = analyser::examine(bundle, {.max_seconds = 1e9, .unrolling = seed % 2 == 0, .invariants = true, .certificate = true});
    tally.note_time(seed, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    ++tally.programs;
    tally.coverage.note(code, report);
    if (options.verbose) std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), analyser::to_json(report).c_str());
    if (report.verdict != analyser::Verdict::safe) return true;
    ++tally.accepted;
    const auto program = load(bundle);
    if (!program.ok()) {
        std::printf("seed %llu: accepted, but the guest does not load it: %s\n", static_cast<unsigned long long>(seed), program.error().text);
        return false;
    }
    std::string why;
    const auto proof = soundness::prove(bundle, report, tally.certified, why);
    if (!proof && options.uncertified) {
        std::printf("seed %llu: the checker refuses: %s\n", static_cast<unsigned long long>(seed), why.c_str());
        print_program(code);
    }
    std::optional<std::uint64_t> bound = report.instruction_bound;
    if (proof) bound = std::min(bound.value_or(UINT64_MAX), proof->cost);
    if (!tells_no_address(code, end, *report.invariants, generator, seed)) {
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        print_program(code);
        return false;
    }
    for (unsigned i = 0; i < packets_each; ++i) {
        const Bytes packet = generator.packet();
        const bool ran = run(*program.value(), packet, bound, Policy::checking, tally) && run(*program.value(), packet, bound, Policy::trusting, tally);
        const auto runner = [&](const std::vector<Instruction>& open, const Bytes& with) { return run_once(open, generator.tail(), with); };
        if (ran && soundness::claims_hold(code, end, *report.invariants, packet, seed * packets_each + i, claims_each, runner, tally.claims)) continue;
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
        if (name == "--uncertified") {
            options.uncertified = true;
            continue;
        }
        if (name == "--table") {
            options.table = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const std::string_view value = argv[++i];
        if (name == "--cover") {
            options.cover = argv[i];
            continue;
        }
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
        std::fputs("usage: test_soundness [--programs N] [--seed N] [--verbose] [--uncertified] [--table] [--cover FILE]\n", stderr);
        return 2;
    }
    platform::linux_process::place_regions_at(0xa0000000);
    Tally tally;
    for (std::uint64_t i = 0; i < options.programs; ++i) {
        if (!try_program(options.seed + i, options, tally)) return 1;
    }
    std::printf("programs %llu, accepted %llu, runs %llu, instructions %llu\n", static_cast<unsigned long long>(tally.programs),
                static_cast<unsigned long long>(tally.accepted), static_cast<unsigned long long>(tally.runs), static_cast<unsigned long long>(tally.instructions));
    std::printf("claims checked %llu, %llu of addresses, %llu of dead code\n", static_cast<unsigned long long>(tally.claims.checked),
                static_cast<unsigned long long>(tally.claims.pointers), static_cast<unsigned long long>(tally.claims.dead));
    std::printf("certified %llu, refused by the checker %llu\n", static_cast<unsigned long long>(tally.certified.proved), static_cast<unsigned long long>(tally.certified.refusals()));
    for (const auto& [reason, count] : tally.certified.refused) std::printf("  %llu: %s\n", static_cast<unsigned long long>(count), reason.c_str());
    if (options.table) tally.coverage.print();
    if (options.cover != nullptr && !tally.coverage.holds(options.cover)) return 1;
    std::printf("slowest analysis %.1f ms, seed %llu\n", tally.slowest_ms, static_cast<unsigned long long>(tally.slowest_seed));
    if (tally.certified.refusals() * uncertified_in > tally.accepted) return 1;
    // A generator whose programs are all refused would prove nothing.
    return options.programs >= 1000 && tally.accepted * 20 < tally.programs ? 1 : 0;
}
