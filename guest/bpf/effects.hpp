// Which registers an instruction of loaded code reads and writes, as sets, and where it may go: what the engines learn of a
// program before they run it. Loaded code carries the Operation in the opcode byte (program.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "guest/bpf/abi.hpp"
#include "guest/bpf/isa.hpp"

namespace unibpf {

using RegisterSet = std::uint16_t;  // bit i: ri
constexpr RegisterSet set_of(unsigned reg) { return static_cast<RegisterSet>(1U << reg); }
inline constexpr RegisterSet every_register = (1U << register_count) - 1;
inline constexpr RegisterSet caller_saved = 0b111111;             // r0-r5
inline constexpr RegisterSet callee_saved = 0b1111 << 6;          // r6-r9

inline const Opcode& row_of(const Instruction& in) { return describe(static_cast<Operation>(in.opcode)); }

// A call to a helper reads as many of r1..r5 as its row has arguments.
inline RegisterSet helper_arguments(std::int32_t helper) {
    RegisterSet read = 0;
    const auto& arguments = abi::helpers[static_cast<std::size_t>(helper)].arguments;
    for (unsigned i = 0; i < arguments.size(); ++i) {
        if (arguments[i] != abi::Argument::none) read |= set_of(i + 1);
    }
    return read;
}

// Reads and writes of a row: of the registers that dst and src name (1 or 0), and of fixed ones.
struct RowEffects {
    RegisterSet reads_dst = 0, reads_src = 0, reads = 0;
    RegisterSet writes_dst = 0, writes_src = 0, writes = 0;
};
constexpr RowEffects effects_of(const Opcode& row) {
    RowEffects effects;
    effects.reads_src = row.src_operand;
    effects.writes_dst = row.writes_dst();
    switch (row.category) {
        case Category::alu: effects.reads_dst = row.alu != Alu::mov; break;
        case Category::move_sx:
        case Category::load:
        case Category::load_sx: break;
        case Category::atomic:
            effects.reads_dst = 1;
            if (row.atomic == Atomic::cmpxchg) effects.reads = effects.writes = set_of(0);
            else effects.writes_src = row.atomic >= Atomic::fetch_add;
            break;
        case Category::endian:
        case Category::store_imm:
        case Category::store:
        case Category::branch: effects.reads_dst = 1; break;
        case Category::call_helper: effects.writes = caller_saved; break;
        case Category::call_local:  // reads r0 too: a callee that leaves it alone returns the caller's
            effects.reads = effects.writes = caller_saved;
            break;
        case Category::exit: effects.reads = set_of(0); break;
        case Category::load_imm64:
        case Category::jump: break;
    }
    return effects;
}
constexpr std::array<RowEffects, operation_count> all_effects() {
    std::array<RowEffects, operation_count> all{};
    for (std::size_t i = 0; i < operation_count; ++i) all[i] = effects_of(opcodes[i]);
    return all;
}
inline constexpr std::array<RowEffects, operation_count> row_effects = all_effects();

inline bool is(const Instruction& in, Operation operation) { return in.opcode == static_cast<std::uint8_t>(operation); }

inline RegisterSet reads_of(const Instruction& in) {
    const RowEffects& row = row_effects[in.opcode];
    const RegisterSet arguments = is(in, Operation::op_call_helper) ? helper_arguments(in.imm) : RegisterSet{0};
    return static_cast<RegisterSet>(row.reads_dst << in.dst | row.reads_src << in.src | row.reads | arguments);
}
inline RegisterSet writes_of(const Instruction& in) {
    const RowEffects& row = row_effects[in.opcode];
    return static_cast<RegisterSet>(row.writes_dst << in.dst | row.writes_src << in.src | row.writes);
}

// Does nothing but compute what it writes: needless where nobody reads that.
inline bool only_computes(const Opcode& row) { return row.writes_dst(); }

// The rows of a category stand together in the table.
constexpr bool in_rows(const Instruction& in, Operation first, Operation last) {
    return static_cast<std::uint8_t>(in.opcode - static_cast<std::uint8_t>(first)) <= static_cast<std::uint8_t>(last) - static_cast<std::uint8_t>(first);
}
constexpr bool has_two_slots(const Instruction& in) { return in_rows(in, Operation::op_lddw, Operation::op_lddw_function); }
constexpr bool jumps(const Instruction& in) { return in_rows(in, Operation::op_ja, Operation::op_jsle32_reg); }
constexpr bool rows_stand_together() {
    for (std::size_t i = 0; i < operation_count; ++i) {
        const Instruction in{.opcode = static_cast<std::uint8_t>(i), .dst = 0, .src = 0, .offset = 0, .imm = 0};
        const Category category = opcodes[i].category;
        if (has_two_slots(in) != (category == Category::load_imm64)) return false;
        if (jumps(in) != (category == Category::jump || category == Category::branch)) return false;
    }
    return true;
}
static_assert(rows_stand_together());

// Where the jump at `index` goes.
inline std::size_t target_of(const Instruction& in, std::size_t index) {
    const std::int64_t distance = is(in, Operation::op_gotol) ? std::int64_t{in.imm} : std::int64_t{in.offset};
    return static_cast<std::size_t>(static_cast<std::int64_t>(index) + 1 + distance);
}

}  // namespace unibpf
