// unibpf-conformance: one program on one piece of memory, as the bpf_conformance project calls its plug-ins.
//
// Instructions come as hexadecimal digits on standard input (or after --program), memory likewise as the only other word; white
// space does not count. r1 points to the memory, r2 is its length; r0 goes to standard output in hexadecimal digits. No maps;
// helpers are the guest's. The memory is a packet, so it may be written and has at most Packet::longest_fresh bytes.
// Native code checks nothing: --jit is for programs that are known to be harmless.
// Exit status: 0 with r0, 1 the program was refused or stopped, 2 usage.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>

#include "guest/run/load.hpp"
#include "guest/run/options.hpp"
#include "guest/run/output.hpp"

namespace unibpf::run {
namespace {

constexpr std::uint64_t budget = 100'000'000;
constexpr const char* conformance_usage =
    "usage: unibpf-conformance [MEMORY] [--program HEX] [--interpret | --jit] [--debug] < INSTRUCTIONS\n";

struct Call {
    std::optional<Bytes> program;
    Bytes memory;
    bool jit = false;
    bool debug = false;  // what was run and how it ended, on standard error
};

std::optional<Bytes> parse_spaced_hex(std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
    return parse_hex(text);
}

bool parse_word(Call& call, const std::string& word) {
    if (word == "--interpret") return true;
    if (word == "--jit") return call.jit = true;
    if (word == "--debug") return call.debug = true;
    const auto bytes = parse_spaced_hex(word);
    if (!bytes || bytes->size() > Packet::longest_fresh) return false;
    call.memory = *bytes;
    return true;
}

std::optional<Call> parse_call(int argc, char** argv) {
    Call call;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--program" && i + 1 < argc) {
            call.program = parse_spaced_hex(argv[++i]);
            if (!call.program) return {};
        } else if (!parse_word(call, word)) {
            return {};
        }
    }
    if (!call.program) call.program = parse_spaced_hex({std::istreambuf_iterator<char>{std::cin}, {}});
    return call.program ? std::optional{call} : std::nullopt;
}

// What a run begins with: r1 and r2 from the context's `data` and `data_end`.
constexpr Instruction prologue[] = {
    {0x61, 2, 1, offsetof(abi::XdpMd, data_end), 0},  // r2 = *(u32 *)(r1 + 4)
    {0x61, 1, 1, offsetof(abi::XdpMd, data), 0},      // r1 = *(u32 *)(r1 + 0)
    {0x1f, 2, 1, 0, 0},                               // r2 -= r1
};

Bytes with_prologue(const Bytes& program) {
    Bytes code(sizeof prologue);
    std::memcpy(code.data(), prologue, sizeof prologue);
    code.insert(code.end(), program.begin(), program.end());
    return code;
}

// The helpers that it calls are those that it declares; too many are refused as undeclared.
void declare_helpers(BundleView& view) {
    std::vector<std::uint32_t> called;
    for (std::size_t i = 0; i < view.size(); ++i) {
        const Instruction in = view.instruction(i);
        if (in.opcode == 0x85 && in.src == 0) called.push_back(static_cast<std::uint32_t>(in.imm));
    }
    std::sort(called.begin(), called.end());
    called.erase(std::unique(called.begin(), called.end()), called.end());
    view.helper_count = std::min(called.size(), view.helpers.size());
    std::copy_n(called.begin(), view.helper_count, view.helpers.begin());
}

int run(const Call& call) {
    const Bytes code = with_prologue(*call.program);
    static BundleView view;
    if (call.program->empty() || code.size() % sizeof(Instruction) != 0) {
        std::cerr << "error: instructions must be a positive multiple of 8 bytes, got " << call.program->size() << "\n";
        return 1;
    }
    view.name = "conformance";
    view.kind = abi::Kind::rewriter;
    view.code = code;
    declare_helpers(view);
    const auto program = load(view, call.jit);
    if (!program.ok()) {
        std::cerr << "error[" << program.error().rule << "]: " << program.error().text << " (got " << program.error().value << ")\n";
        return 1;
    }
    std::FILE* output = separate_output_from_console();
    const PacketPtr packet = packet_of(call.memory);
    Machine machine{*program.value(), *packet, budget};
    std::memset(machine.stack, 0, sizeof machine.stack);
    const Stop stop = call.jit ? jit::run(machine) : interpret(machine, Policy::checking);
    if (call.debug) {
        std::cerr << code.size() / sizeof(Instruction) << " instructions, " << call.memory.size() << " bytes of memory, "
                  << (call.jit ? "native code" : "interpreted") << "\n";
    }
    if (stop != Stop::exit) {
        std::cerr << "error: stopped at instruction " << machine.trap.instruction << ": " << machine.trap.text << "\n";
        return 1;
    }
    std::fprintf(output, "%llx\n", static_cast<unsigned long long>(machine.r0));
    return std::fclose(output) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace unibpf::run

int main(int argc, char** argv) {
    using namespace unibpf::run;
    const auto call = parse_call(argc, argv);
    if (call) return run(*call);
    std::cerr << "error: the call cannot be read\n"
              << conformance_usage;
    return 2;
}
