#include "tests/soundness/coverage.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <fstream>

namespace unibpf::soundness {
namespace {

using analyser::Claim;
using analyser::Kind;

std::string kind_of(const Claim& claim) {
    const std::string null = claim.may_be_null ? "?" : "";
    switch (claim.kind) {
        case Kind::uninitialised: return "unset";
        case Kind::mixed: return "mixed";
        case Kind::number: return claim.scalar.is_constant() ? "constant" : "number";
        case Kind::context: return "context";
        case Kind::packet: return "packet" + null;
        case Kind::packet_address: return (claim.object & analyser::low_half) != 0 ? "half" : "old_packet";
        case Kind::stack: return "stack";
        case Kind::map_value: return "map_value" + null;
        case Kind::map_key: return "map_key";
        case Kind::map_handle: return "map";
        case Kind::inner_map: return "inner_map" + null;
        case Kind::record: return "record" + null;
        case Kind::socket: return "socket" + null;
        case Kind::function: return "function";
        case Kind::complement: return "complement";
    }
    __builtin_unreachable();
}

// The instruction's name and the kinds of what it works on, `stxdw stack packet`; calls have the helper's name.
std::string form_of(const Instruction& in, Operation operation, const std::array<Claim, register_count>& registers) {
    const Opcode& row = describe(operation);
    const std::string name{operation_names[static_cast<std::size_t>(operation)]};
    const auto dst = [&] { return " " + kind_of(registers[in.dst]); };
    const auto src = [&] { return row.src_operand ? " " + kind_of(registers[in.src]) : std::string{}; };
    switch (row.category) {
        case Category::alu: return row.alu == Alu::mov ? name + src() : name + dst() + src();
        case Category::move_sx:
        case Category::load:
        case Category::load_sx: return name + " " + kind_of(registers[in.src]);
        case Category::endian:
        case Category::store_imm: return name + dst();
        case Category::store:
        case Category::atomic:
        case Category::branch: return name + dst() + src();
        case Category::call_helper: {
            const abi::HelperRow* helper = abi::find_helper(static_cast<std::uint32_t>(in.imm));
            return helper == nullptr ? name : std::string{helper->name};
        }
        case Category::load_imm64:
        case Category::jump:
        case Category::call_local:
        case Category::exit: return name;
    }
    __builtin_unreachable();
}

}  // namespace

void Coverage::note(const std::vector<Instruction>& code, const analyser::Report& report) {
    const bool accepted = report.verdict == analyser::Verdict::safe;
    for (std::size_t at = 0; at < code.size(); at += slots_of(code[at])) {
        const Operation operation = find_operation(code[at]);
        const auto& registers = report.invariants->before(at);
        if (operation == Operation::count || !registers[frame_register].reached) continue;
        const bool refused = std::any_of(report.findings.begin(), report.findings.end(), [&](const analyser::Finding& finding) { return finding.instruction == at; });
        if (!accepted && !refused) continue;
        const std::string form = form_of(code[at], operation, registers);
        count(form, accepted);
        if (operation == Operation::op_call_helper) note_maps(form, registers, accepted);
    }
}

// `bpf_map_update_elem on hash`, for each type of map that the call may be given.
void Coverage::note_maps(const std::string& helper, const std::array<Claim, register_count>& registers, bool accepted) {
    for (unsigned reg = 1; reg <= 5; ++reg) {
        if (registers[reg].kind != Kind::map_handle && registers[reg].kind != Kind::inner_map) continue;
        const std::string_view inside = registers[reg].kind == Kind::inner_map ? "a map in " : "";
        for (std::uint64_t maps = registers[reg].object; maps != 0; maps &= maps - 1) {
            count(helper + " on " + std::string{inside} + std::string{ProgramGenerator::type_of_map(static_cast<unsigned>(std::countr_zero(maps)))}, accepted);
        }
    }
}

void Coverage::count(const std::string& form, bool accepted) {
    Outcome& outcome = seen_[form];
    (accepted ? outcome.accepted : outcome.refused) += 1;
}

void Coverage::print() const {
    for (const auto& [form, outcome] : seen_) {
        std::printf("%-40s accepted %8llu refused %8llu\n", form.c_str(), static_cast<unsigned long long>(outcome.accepted), static_cast<unsigned long long>(outcome.refused));
    }
}

bool Coverage::holds(const char* path) const {
    std::ifstream file{path};
    bool all = file.is_open();
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        const auto space = line.rfind(' ');
        const auto found = seen_.find(line.substr(0, space));
        const bool wants_accepted = line.substr(space + 1) == "accepted";
        if (found != seen_.end() && (wants_accepted ? found->second.accepted : found->second.refused) != 0) continue;
        std::printf("not covered: %s\n", line.c_str());
        all = false;
    }
    return all;
}

}  // namespace unibpf::soundness
