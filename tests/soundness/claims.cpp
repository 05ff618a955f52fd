#include "tests/soundness/claims.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <random>

#include "guest/bpf/program.hpp"
#include "services/verifier/native/state/addresses.hpp"

namespace unibpf::soundness {
namespace {

using analyser::Claim;
using analyser::Kind;

Instruction instruction(Operation operation, unsigned dst, unsigned src, std::int32_t imm) {
    return {describe(operation).opcode, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src), 0, imm};
}

// Two runs must be alike: no time and no random numbers.
bool is_repeatable(const std::vector<Instruction>& code) {
    static constexpr std::int32_t varying[] = {5, 7, 118, 125, 160};
    for (std::size_t at = 0; at < code.size(); at += slots_of(code[at])) {
        if (find_operation(code[at]) == Operation::op_call_helper && std::find(std::begin(varying), std::end(varying), code[at].imm) != std::end(varying)) return false;
    }
    return true;
}

// The low halves of both lie in the claim's.
bool low_half_inside(const analyser::Scalar& scalar, std::uint64_t value) {
    const auto low = static_cast<std::uint32_t>(value);
    return scalar.u32.contains(low) && scalar.s32.contains(static_cast<std::int32_t>(low));
}

bool pointer_holds(const Claim& claim, const Run& run) {
    const analyser::Scalar& offset = claim.scalar;
    switch (claim.kind) {
        case Kind::packet: return offset.contains(run.result - run.packet);
        case Kind::packet_address:
            if ((claim.object & analyser::from_before) != 0) return true;
            if ((claim.object & analyser::low_half) != 0) return low_half_inside(offset, run.result - run.packet);
            return offset.contains(run.result - run.packet);
        case Kind::stack: return claim.object != 0 || offset.contains(run.result - run.stack_top);
        case Kind::context: return offset.contains(run.result - run.context);
        case Kind::function: return run.result == function_value(claim.object);
        default: return true;
    }
}

bool claim_holds(const Claim& claim, const Run& run, ClaimTally& tally) {
    ++tally.checked;
    if (claim.kind == Kind::number) return claim.scalar.contains(run.result);
    if (claim.kind == Kind::uninitialised || claim.kind == Kind::mixed) return true;
    ++tally.pointers;
    if (claim.may_be_null && run.result == 0) return true;
    analyser::Value pointer{claim.kind};
    pointer.object = claim.object;
    if (run.result == 0 && claim.scalar.s64.inside(analyser::nonzero_offsets(pointer))) return false;
    return pointer_holds(claim, run);
}

}  // namespace

std::size_t end_of_entry(const std::vector<Instruction>& code, std::uint32_t tail) {
    std::size_t end = tail == 0 ? code.size() : tail;
    for (std::size_t at = 0; at < code.size(); at += slots_of(code[at])) {
        const Operation operation = find_operation(code[at]);
        if (operation != Operation::op_call_local && operation != Operation::op_lddw_function) continue;
        const auto target = static_cast<std::size_t>(static_cast<std::int64_t>(at) + 1 + code[at].imm);
        if (target != 0) end = std::min(end, target);
    }
    return end;
}

bool cut_open(std::vector<Instruction>& code, std::size_t at, std::size_t end, unsigned reg) {
    const std::size_t next = at + 1;
    if (next >= end || code[at].opcode == 0) return false;
    if (slots_of(code[at]) == 1 && slots_of(code[next]) == 2) code[next + 1] = instruction(Operation::op_ja, 0, 0, 0);
    code[at] = reg == no_register ? instruction(Operation::op_mov64_imm, 0, 0, marker) : instruction(Operation::op_mov64_reg, 0, reg, 0);
    code[next] = instruction(Operation::op_exit, 0, 0, 0);
    return true;
}

bool claims_hold(const std::vector<Instruction>& code, std::size_t end, const analyser::Invariants& invariants, const Bytes& packet,
                 std::uint64_t seed, unsigned tries, const Runner& run, ClaimTally& tally) {
    if (!is_repeatable(code)) return true;
    std::mt19937_64 random{seed};
    const auto returning = [&](std::size_t at, unsigned reg) {
        std::vector<Instruction> open = code;
        return cut_open(open, at, end, reg) ? run(open, packet) : Run{};
    };
    for (unsigned i = 0; i < tries; ++i) {
        const std::size_t at = random() % end;
        const unsigned reg = static_cast<unsigned>(random() % 10);
        const Claim& claim = invariants.before(at)[reg];
        const bool second_slot = code[at].opcode == 0;
        if (second_slot || (claim.reached && (claim.kind == Kind::uninitialised || claim.kind == Kind::mixed))) continue;
        const Run reached = returning(at, no_register);
        tally.dead += !claim.reached;
        if (!reached.ended || reached.result != marker) continue;
        if (!claim.reached) {
            std::printf("claim: instruction %zu is never reached, but it was\n", at);
            return false;
        }
        const Run value = returning(at, reg);
        if (claim_holds(claim, value, tally)) continue;
        std::printf("claim: r%u = %s before instruction %zu, but it was 0x%llx (packet 0x%llx, stack 0x%llx)\n", reg, analyser::describe(claim).c_str(), at,
                    static_cast<unsigned long long>(value.result), static_cast<unsigned long long>(value.packet), static_cast<unsigned long long>(value.stack_top));
        return false;
    }
    return true;
}

}  // namespace unibpf::soundness
