#include "tests/soundness/claims.hpp"

#include <cstdio>
#include <random>

namespace unibpf::soundness {
namespace {

constexpr std::int32_t marker = 0x5afe1234;

Instruction instruction(Operation operation, unsigned dst, unsigned src, int offset, std::int32_t imm) {
    return {describe(operation).opcode, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src), static_cast<std::int16_t>(offset), imm};
}

std::vector<Instruction> cut_open(std::vector<Instruction> code, std::size_t at, const Instruction& answer) {
    code[at] = instruction(Operation::op_ja, 0, 0, static_cast<int>(code.size() - at - 1), 0);
    code.push_back(answer);
    code.push_back(instruction(Operation::op_exit, 0, 0, 0, 0));
    return code;
}

// Two runs must be alike, and a jump must not leave its function.
bool is_suited(const std::vector<Instruction>& code) {
    for (const Instruction& in : code) {
        const Operation operation = find_operation(in);
        if (operation == Operation::op_call_local || operation == Operation::op_lddw_function) return false;
        if (operation == Operation::op_call_helper && (in.imm == 5 || in.imm == 7)) return false;
    }
    return true;
}

bool can_be_replaced(const Instruction& in) {
    const Operation operation = find_operation(in);
    return operation != Operation::count && describe(operation).category != Category::load_imm64;
}

}  // namespace

bool claims_hold(const std::vector<Instruction>& code, const analyser::Invariants& invariants, const Bytes& packet, std::uint64_t seed,
                 unsigned tries, const Runner& run, ClaimTally& tally) {
    if (!is_suited(code)) return true;
    std::mt19937_64 random{seed};
    for (unsigned i = 0; i < tries; ++i) {
        const std::size_t at = random() % code.size();
        const unsigned reg = static_cast<unsigned>(random() % 10);
        const analyser::Claim& claim = invariants.before(at)[reg];
        if (!claim.reached || claim.kind != analyser::Kind::number || !can_be_replaced(code[at])) continue;
        const Run reached = run(cut_open(code, at, instruction(Operation::op_mov64_imm, 0, 0, 0, marker)), packet);
        if (!reached.ended || reached.result != marker) continue;
        const Run value = run(cut_open(code, at, instruction(Operation::op_mov64_reg, 0, reg, 0, 0)), packet);
        ++tally.checked;
        if (claim.scalar.contains(value.result)) continue;
        std::printf("claim: r%u = %s before instruction %zu, but it was 0x%llx\n", reg, analyser::describe(claim).c_str(), at,
                    static_cast<unsigned long long>(value.result));
        return false;
    }
    return true;
}

}  // namespace unibpf::soundness
