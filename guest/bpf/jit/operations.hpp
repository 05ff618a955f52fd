// Operations: native code of single instructions that compute or touch memory; one function a category of isa.hpp.
//
// r11 is scratch inside one instruction, and r9 and r10 in programs that divide or have atomics (Plan keeps them free).
#pragma once

#include <cstddef>
#include <cstdint>

#include "guest/bpf/jit/emitter.hpp"
#include "guest/bpf/jit/plan.hpp"

namespace unibpf::jit {

constexpr Op op(unsigned code) { return {static_cast<std::uint8_t>(code)}; }
constexpr Op op_0f(unsigned code) { return {static_cast<std::uint8_t>(code), true}; }
inline constexpr Op lea = op(0x8d);

// Extensions of group 1 (add or and sub xor cmp) and group 2 (shl shr sar).
enum class Group1 : std::uint8_t {
    add = 0,
    or_ = 1,
    and_ = 4,
    sub = 5,
    xor_ = 6,
    cmp = 7
};
enum class Group2 : std::uint8_t {
    ror = 1,
    shl = 4,
    shr = 5,
    sar = 7
};

class Operations {
  public:
    Operations(Plan& plan, Emitter& out) : plan_{plan}, out_{out} {}

  protected:
    Reg home(unsigned reg) const { return plan_.home(reg); }
    Memory at(unsigned reg, std::int32_t displacement) const { return {home(reg), displacement}; }

    // What an immediate is worth in a register: sign-extended to 64 bits, or 32 bits alone.
    static std::uint64_t operand(Width width, std::int32_t imm) {
        return width == Width::w64 ? static_cast<std::uint64_t>(std::int64_t{imm}) : static_cast<std::uint32_t>(imm);
    }
    static bool fits_32(std::uint64_t value) { return static_cast<std::int64_t>(value) == static_cast<std::int32_t>(value); }

    void group1(Width width, Group1 extension, Reg rm, std::int32_t value) { out_.group1(width, static_cast<unsigned>(extension), rm, value); }
    void shift(Width width, Group2 extension, Reg rm, unsigned count) {
        out_.reg(width, op(0xc1), static_cast<unsigned>(extension), rm);
        out_.byte(count);
    }

    // --- arithmetic (RFC 9669 4.1): 32-bit forms clear the upper half by themselves -----------------------------------------

    void emit_alu(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        switch (row.alu) {
            case Alu::add: return emit_simple(row, in, Group1::add);
            case Alu::or_: return emit_simple(row, in, Group1::or_);
            case Alu::and_: return emit_and(row, in);
            case Alu::sub: return emit_simple(row, in, Group1::sub);
            case Alu::xor_: return emit_xor(row, in);
            case Alu::mul: return emit_multiply(row, in);
            case Alu::div:
            case Alu::mod: return emit_division(row, in, false);
            case Alu::sdiv:
            case Alu::smod: return emit_division(row, in, true);
            case Alu::lsh: return emit_shift(row, in, Group2::shl, Bmi2::shlx);
            case Alu::rsh: return emit_shift(row, in, Group2::shr, Bmi2::shrx);
            case Alu::arsh: return emit_shift(row, in, Group2::sar, Bmi2::sarx);
            case Alu::neg: return out_.reg(width, op(0xf7), 3, dst);
            case Alu::mov:
                if (row.src_operand) return emit_move(width, dst, home(in.src));
                return out_.load_constant(dst, operand(width, in.imm));
        }
    }

    // Of a register to itself only the 32-bit form does something.
    void emit_move(Width width, Reg to, Reg from) {
        if (to != from || width == Width::w32) out_.move(width, to, from);
    }

    // Register forms are at 8 * extension + 1.
    void emit_simple(const Opcode& row, const Instruction& in, Group1 extension) {
        const Width width = width_of(row.width);
        if (row.src_operand) return out_.reg(width, op(static_cast<unsigned>(extension) << 3 | 1), home(in.src), home(in.dst));
        if (extension == Group1::add && in.imm == 1) return out_.reg(width, op(0xff), 0, home(in.dst));   // inc
        if (extension == Group1::add && in.imm == -1) return out_.reg(width, op(0xff), 1, home(in.dst));  // dec
        group1(width, extension, home(in.dst), in.imm);
    }
    // A mask without sign has no 32-bit difference to its 64-bit form, and low bytes are a move.
    void emit_and(const Opcode& row, const Instruction& in) {
        const Reg dst = home(in.dst);
        if (!row.src_operand && in.imm == 0xff) return out_.reg_low(Width::w32, op_0f(0xb6), static_cast<unsigned>(dst), dst);
        if (!row.src_operand && in.imm == 0xffff) return out_.reg(Width::w32, op_0f(0xb7), dst, dst);
        if (!row.src_operand && in.imm >= 0) return group1(Width::w32, Group1::and_, dst, in.imm);
        emit_simple(row, in, Group1::and_);
    }
    void emit_xor(const Opcode& row, const Instruction& in) {
        if (!row.src_operand && in.imm == -1) return out_.reg(width_of(row.width), op(0xf7), 2, home(in.dst));  // not
        emit_simple(row, in, Group1::xor_);
    }
    void emit_multiply(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        if (row.src_operand) return out_.reg(width, op_0f(0xaf), dst, home(in.src));
        multiply(width, dst, dst, in.imm);
    }
    void multiply(Width width, Reg to, Reg from, std::int32_t factor) {
        const bool small = factor >= -128 && factor <= 127;
        out_.reg(width, op(small ? 0x6b : 0x69), to, from);
        small ? out_.byte(static_cast<std::uint8_t>(factor)) : out_.imm32(factor);
    }

    // Counts are masked by the CPU as RFC 9669 masks them. Without BMI2 a count in a register must be in cl.
    void emit_shift(const Opcode& row, const Instruction& in, Group2 extension, Bmi2 by_register) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        if (!row.src_operand) return shift(width, extension, dst, static_cast<unsigned>(in.imm) & (row.width - 1U));
        const Reg src = home(in.src);
        if (plan_.features().bmi2) return out_.shift_by(width, by_register, dst, dst, src);
        const auto by_cl = [&](Reg what) { out_.reg(width, op(0xd3), static_cast<unsigned>(extension), what); };
        if (src == Reg::rcx && dst != Reg::rcx) return by_cl(dst);
        out_.move(Width::w64, Reg::r11, Reg::rcx);
        out_.move(Width::w64, Reg::rcx, src);
        by_cl(dst == Reg::rcx ? Reg::r11 : dst);
        out_.move(dst == Reg::rcx ? width : Width::w64, Reg::rcx, Reg::r11);
    }

    // div and idiv work on rdx:rax and fault on zero and on overflow: both are tested for. r11 is the divisor, then the result.
    void emit_division(const Opcode& row, const Instruction& in, bool is_signed) {
        const Width width = width_of(row.width);
        const bool modulo = row.alu == Alu::mod || row.alu == Alu::smod;
        if (row.src_operand) out_.move(width, Reg::r11, home(in.src));
        else out_.load_constant(Reg::r11, operand(width, in.imm));
        out_.move(Width::w64, Reg::r10, Reg::rax);
        out_.move(Width::w64, Reg::r9, Reg::rdx);
        emit_move(width, Reg::rax, home(in.dst));
        out_.reg(width, op(0x85), Reg::r11, Reg::r11);  // test
        const std::size_t zero = out_.skip_if(Flag::equal);
        const std::size_t minus_one = is_signed ? emit_minus_one_check(width) : 0;
        if (is_signed) emit_sign_extension(width);
        else out_.reg(Width::w32, op(0x31), Reg::rdx, Reg::rdx);
        out_.reg(width, op(0xf7), is_signed ? 7 : 6, Reg::r11);
        out_.move(width, Reg::r11, modulo ? Reg::rdx : Reg::rax);
        const std::size_t done = out_.skip();
        if (is_signed) emit_minus_one_result(width, modulo, minus_one);
        const std::size_t done_too = is_signed ? out_.skip() : 0;
        out_.bind(zero);  // r11 is 0 here: the quotient
        if (modulo) out_.move(width, Reg::r11, Reg::rax);
        out_.bind(done);
        if (is_signed) out_.bind(done_too);
        out_.move(Width::w64, Reg::rax, Reg::r10);
        out_.move(Width::w64, Reg::rdx, Reg::r9);
        out_.move(width, home(in.dst), Reg::r11);
    }
    std::size_t emit_minus_one_check(Width width) {
        group1(width, Group1::cmp, Reg::r11, -1);
        return out_.skip_if(Flag::equal);
    }
    void emit_sign_extension(Width width) {
        if (width == Width::w64) out_.byte(0x48);
        out_.byte(0x99);  // cdq, cqo
    }
    void emit_minus_one_result(Width width, bool modulo, std::size_t from) {
        out_.bind(from);
        if (modulo) return out_.load_constant(Reg::r11, 0);
        out_.reg(width, op(0xf7), 3, Reg::rax);
        out_.move(width, Reg::r11, Reg::rax);
    }

    void emit_move_sx(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        if (row.bytes == 1) return out_.reg_low(width, sign_extending(1), static_cast<unsigned>(home(in.dst)), home(in.src));
        out_.reg(width, sign_extending(row.bytes), home(in.dst), home(in.src));
    }
    static constexpr Op sign_extending(unsigned bytes) {
        return bytes == 1   ? op_0f(0xbe)
               : bytes == 2 ? op_0f(0xbf)
                            : op(0x63);
    }
    static constexpr Op zero_extending(unsigned bytes) {
        return bytes == 1   ? op_0f(0xb6)
               : bytes == 2 ? op_0f(0xb7)
                            : op(0x8b);
    }

    // RFC 9669 4.2; the machine is little endian.
    void emit_endian(const Opcode& row, Reg dst) {
        const bool swap = row.order != ByteOrder::little;
        if (row.bytes == 2) {
            if (swap) swap_low_bytes(dst);
            return out_.reg(Width::w32, op_0f(0xb7), dst, dst);
        }
        if (swap) return emit_bswap(width_of(row.bytes * 8U), dst);
        if (row.bytes == 4) out_.move(Width::w32, dst, dst);
    }
    void swap_low_bytes(Reg dst) {  // the other bits stay
        out_.reg(Width::w32, {0xc1, false, true}, static_cast<unsigned>(Group2::ror), dst);
        out_.byte(8);
    }
    void emit_bswap(Width width, Reg dst) {
        const auto number = static_cast<unsigned>(dst);
        const unsigned rex = 0x40 | (width == Width::w64 ? 8 : 0) | number >> 3;
        if (rex != 0x40) out_.byte(rex);
        out_.byte(0x0f);
        out_.byte(0xc8 | (number & 7));
    }

    // --- memory (5) ------------------------------------------------------------------------------------------------------------

    void emit_load(const Opcode& row, const Instruction& in) { load(row, home(in.dst), at(in.src, in.offset)); }
    void load(const Opcode& row, Reg to, const Memory& from) {
        const bool extend = row.category == Category::load_sx;
        const Width width = extend || row.bytes == 8 ? Width::w64 : Width::w32;
        out_.memory(width, extend ? sign_extending(row.bytes) : zero_extending(row.bytes), to, from);
    }

    void emit_store(const Opcode& row, const Instruction& in) {
        const bool small = row.bytes == 1;
        const Width width = width_of(row.bytes * 8U);
        const Memory to = at(in.dst, in.offset);
        if (row.src_operand) {
            return out_.memory(width, {static_cast<std::uint8_t>(small ? 0x88 : 0x89), false, row.bytes == 2, small}, home(in.src), to);
        }
        out_.memory(width, {static_cast<std::uint8_t>(small ? 0xc6 : 0xc7), false, row.bytes == 2}, 0, to);
        emit_immediate(row.bytes, in.imm);
    }
    void emit_immediate(unsigned bytes, std::int32_t value) {
        if (bytes == 1) out_.byte(static_cast<std::uint8_t>(value));
        else if (bytes == 2) out_.imm16(value);
        else out_.imm32(value);
    }

    // No lock prefixes: one CPU, and nothing interrupts the data path (platform.hpp).
    void emit_atomic(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg src = home(in.src);
        const auto on_memory = [&](Op operation, Reg reg) { out_.memory(width, operation, reg, at(in.dst, in.offset)); };
        switch (row.atomic) {
            case Atomic::add: return on_memory(op(0x01), src);
            case Atomic::or_: return on_memory(op(0x09), src);
            case Atomic::and_: return on_memory(op(0x21), src);
            case Atomic::xor_: return on_memory(op(0x31), src);
            case Atomic::fetch_add: return on_memory(op_0f(0xc1), src);
            case Atomic::xchg: return on_memory(op(0x87), src);
            case Atomic::cmpxchg:
                on_memory(op_0f(0xb1), src);
                if (width == Width::w32) out_.move(Width::w32, Reg::rax, Reg::rax);  // not done by the CPU when equal
                return;
            case Atomic::fetch_or:
            case Atomic::fetch_and:
            case Atomic::fetch_xor: break;
        }
        const unsigned code = row.atomic == Atomic::fetch_or    ? 0x09
                              : row.atomic == Atomic::fetch_and ? 0x21
                                                                : 0x31;
        on_memory(op(0x8b), Reg::r11);
        out_.move(width, Reg::r10, Reg::r11);
        out_.reg(width, op(code), src, Reg::r11);
        on_memory(op(0x89), Reg::r11);
        out_.move(width, src, Reg::r10);
    }

    Plan& plan_;
    Emitter& out_;
};

}  // namespace unibpf::jit
