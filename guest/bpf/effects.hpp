// Which registers an instruction of loaded code reads and writes, as sets, and where it may go: what the engines learn of a
// program before they run it. Loaded code carries the Operation in the opcode byte (program.hpp).
#pragma once

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

inline RegisterSet reads_of(const Opcode& row, const Instruction& in) {
    const RegisterSet src = row.src_operand ? set_of(in.src) : RegisterSet{0};
    switch (row.category) {
        case Category::alu: return row.alu == Alu::mov ? src : static_cast<RegisterSet>(src | set_of(in.dst));
        case Category::move_sx:
        case Category::load:
        case Category::load_sx: return set_of(in.src);
        case Category::endian: return set_of(in.dst);
        case Category::atomic: return static_cast<RegisterSet>(set_of(in.dst) | src | (row.atomic == Atomic::cmpxchg ? set_of(0) : 0));
        case Category::store_imm:
        case Category::store:
        case Category::branch: return static_cast<RegisterSet>(set_of(in.dst) | src);
        case Category::call_helper: return helper_arguments(in.imm);
        case Category::call_local: return caller_saved;  // r0 too: a callee that leaves it alone returns the caller's
        case Category::exit: return set_of(0);
        case Category::load_imm64:
        case Category::jump: return 0;
    }
}

inline RegisterSet writes_of(const Opcode& row, const Instruction& in) {
    if (row.writes_dst()) return set_of(in.dst);
    switch (row.category) {
        case Category::atomic:
            if (row.atomic == Atomic::cmpxchg) return set_of(0);
            return row.atomic >= Atomic::fetch_add ? set_of(in.src) : RegisterSet{0};
        case Category::call_helper:
        case Category::call_local: return caller_saved;
        default: return 0;
    }
}

// Does nothing but compute what it writes: needless where nobody reads that.
inline bool only_computes(const Opcode& row) { return row.writes_dst(); }

inline std::int64_t distance_of(const Opcode& row, const Instruction& in) { return row.offset.free ? in.offset : in.imm; }

inline bool jumps(const Opcode& row) { return row.category == Category::jump || row.category == Category::branch; }

}  // namespace unibpf
