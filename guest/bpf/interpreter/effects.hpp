// Which registers an instruction of loaded code reads and writes, as sets, and where it may go: what the engines learn of a
// program before they run it. Loaded code carries the Operation in the opcode byte (program.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/cost.hpp"
#include "guest/bpf/bundle/isa.hpp"

namespace unibpf {

using RegisterSet = std::uint16_t;  // bit i: ri
constexpr RegisterSet set_of(unsigned reg) { return static_cast<RegisterSet>(1U << reg); }
inline constexpr RegisterSet every_register = (1U << register_count) - 1;
inline constexpr RegisterSet caller_saved = 0b111111;             // r0-r5
inline constexpr RegisterSet callee_saved = 0b1111 << 6;          // r6-r9

inline const Opcode& row_of(const Instruction& in) { return describe(static_cast<Operation>(in.opcode)); }

// What a call of a helper takes off the budget before it is made (program.cpp, link_helper).
inline std::uint64_t work_of_call(const Instruction& in) {
    return abi::cost::given({static_cast<std::uint16_t>(in.offset), in.dst});
}

// A call to a helper reads as many of r1..r5 as its row has arguments.
inline RegisterSet helper_arguments(std::int32_t helper) {
    RegisterSet read = 0;
    const auto& arguments = abi::helpers[static_cast<std::size_t>(helper)].arguments;
    for (unsigned i = 0; i < arguments.size(); ++i) {
        if (arguments[i] != abi::Argument::none) read |= set_of(i + 1);
    }
    return read;
}

// What a row does with the registers that dst and src name: masks, all ones or none, of their sets.
struct RowEffects {
    RegisterSet reads_dst = 0, reads_src = 0, writes_dst = 0;
    std::uint8_t others = 0;  // it does something with more registers than that
    std::uint8_t leaves = 0;  // the next instruction may not be what follows
};
constexpr RowEffects effects_of(const Opcode& row) {
    constexpr RegisterSet yes = 0xffff;
    RowEffects effects;
    effects.reads_src = row.src_operand ? yes : 0;
    effects.writes_dst = row.writes_dst() ? yes : 0;
    switch (row.category) {
        case Category::alu: effects.reads_dst = row.alu != Alu::mov ? yes : 0; break;
        case Category::move_sx:
        case Category::load_imm64:
        case Category::load:
        case Category::load_sx: break;
        case Category::atomic:
            effects.reads_dst = yes;
            effects.others = row.atomic >= Atomic::fetch_add;
            break;
        case Category::branch: effects.leaves = 1; [[fallthrough]];
        case Category::endian:
        case Category::store_imm:
        case Category::store: effects.reads_dst = yes; break;
        case Category::exit: effects.leaves = 1; [[fallthrough]];
        case Category::call_helper:
        case Category::call_local: effects.others = 1; break;
        case Category::jump: effects.leaves = 1; break;
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

// Of rows that have `others`. A call of a function reads r0 too: a callee that leaves it alone returns the caller's.
inline RegisterSet other_reads(const Instruction& in) {
    switch (row_of(in).category) {
        case Category::call_helper: return helper_arguments(in.imm);
        case Category::call_local: return caller_saved;
        case Category::atomic: return row_of(in).atomic == Atomic::cmpxchg ? set_of(0) : RegisterSet{0};
        default: return set_of(0);  // an exit
    }
}
inline RegisterSet other_writes(const Instruction& in) {
    switch (row_of(in).category) {
        case Category::call_helper:
        case Category::call_local: return caller_saved;
        case Category::atomic: return set_of(row_of(in).atomic == Atomic::cmpxchg ? 0 : in.src);
        default: return 0;
    }
}

struct Effects {
    RegisterSet reads, writes;
};
inline Effects effects_of(const Instruction& in) {
    const RowEffects& row = row_effects[in.opcode];
    const RegisterSet dst = set_of(in.dst), src = set_of(in.src);
    Effects effects{static_cast<RegisterSet>((dst & row.reads_dst) | (src & row.reads_src)), static_cast<RegisterSet>(dst & row.writes_dst)};
    if (row.others != 0) [[unlikely]] {
        effects.reads |= other_reads(in);
        effects.writes |= other_writes(in);
    }
    return effects;
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
