// Emitter: x86-64 encodings (Intel SDM volume 2), as many as the JIT needs, into a fixed span.
//
// What does not fit is counted and not written: a run over an empty span measures. Encodings depend on operands only, never on
// where they lie, so a second run over the same input has the same size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace unibpf::jit {

enum class Reg : std::uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
enum class Width : std::uint8_t { w32, w64 };
constexpr Width width_of(unsigned bits) { return bits == 64 ? Width::w64 : Width::w32; }

// Condition codes, SDM volume 1 appendix B.
enum class Flag : std::uint8_t { below = 2, above_equal = 3, equal = 4, not_equal = 5, below_equal = 6, above = 7, sign = 8,
                                 less = 12, greater_equal = 13, less_equal = 14, greater = 15 };
constexpr Flag opposite(Flag flag) { return static_cast<Flag>(static_cast<unsigned>(flag) ^ 1); }

// An opcode: one byte, perhaps behind 0F, perhaps with the 16-bit prefix; `low` ones name byte registers, which need REX.
struct Op {
    std::uint8_t code;
    bool escape = false;
    bool half = false;
    bool low = false;
};

class Emitter {
  public:
    explicit Emitter(std::span<std::byte> out) : out_{out} {}
    std::size_t size() const { return size_; }
    bool fits() const { return size_ <= out_.size(); }

    void byte(unsigned value) {
        if (size_ < out_.size()) out_[size_] = static_cast<std::byte>(value);
        ++size_;
    }
    void imm16(std::int32_t value) { little(static_cast<std::uint32_t>(value), 2); }
    void imm32(std::int32_t value) { little(static_cast<std::uint32_t>(value), 4); }
    void imm64(std::uint64_t value) { little(value, 8); }

    // op with a register operand and a register-or-memory operand; `reg` may be an opcode extension (/0../7).
    void reg(Width width, Op op, unsigned reg, Reg rm) {
        prefixes(width, op, reg, rm);
        byte(0xc0 | (reg & 7) << 3 | (number(rm) & 7));
    }
    void reg(Width width, Op op, Reg reg_, Reg rm) { reg(width, op, number(reg_), rm); }
    void memory(Width width, Op op, unsigned reg, Reg base, std::int32_t displacement) {
        prefixes(width, op, reg, base);
        const unsigned low = number(base) & 7;
        const bool small = displacement >= -128 && displacement <= 127;
        const unsigned mode = displacement == 0 && low != 5 ? 0 : small ? 1 : 2;  // base 101 without displacement means RIP
        byte(mode << 6 | (reg & 7) << 3 | low);
        if (low == 4) byte(0x24);  // base 100 needs a SIB byte
        if (mode == 1) byte(static_cast<std::uint8_t>(displacement));
        if (mode == 2) imm32(displacement);
    }
    void memory(Width width, Op op, Reg reg, Reg base, std::int32_t displacement) { memory(width, op, number(reg), base, displacement); }

    void move(Width width, Reg to, Reg from) { reg(width, {0x89}, from, to); }
    // The shortest encoding that leaves `value` in all 64 bits.
    void load_constant(Reg to, std::uint64_t value) {
        if (value == 0) return reg(Width::w32, {0x31}, to, to);
        const bool negative = static_cast<std::int64_t>(value) == static_cast<std::int32_t>(value) && value > UINT32_MAX;
        if (negative) {
            reg(Width::w64, {0xc7}, 0, to);
            return imm32(static_cast<std::int32_t>(value));
        }
        const bool wide = value > UINT32_MAX;
        if (wide || number(to) > 7) byte(0x40 | (wide ? 8 : 0) | number(to) >> 3);
        byte(0xb8 | (number(to) & 7));
        wide ? imm64(value) : imm32(static_cast<std::int32_t>(value));
    }
    // Group 1 (add or adc sbb and sub xor cmp as extension 0..7) with an immediate.
    void group1(Width width, unsigned extension, Reg rm, std::int32_t value) {
        const bool small = value >= -128 && value <= 127;
        reg(width, {static_cast<std::uint8_t>(small ? 0x83 : 0x81)}, extension, rm);
        small ? byte(static_cast<std::uint8_t>(value)) : imm32(value);
    }
    void push(Reg value) { short_form(0x50, value); }
    void pop(Reg value) { short_form(0x58, value); }
    void ret() { byte(0xc3); }

    // Jumps to an offset in this code; 32-bit distances always, so that sizes do not depend on targets.
    void jump(std::size_t target) { byte(0xe9), distance(target); }
    void jump_if(Flag flag, std::size_t target) { byte(0x0f), byte(0x80 | static_cast<unsigned>(flag)), distance(target); }
    void call(std::size_t target) { byte(0xe8), distance(target); }

    // Short jumps forward inside one instruction's code: returns what `bind` wants where the jump should land.
    std::size_t skip() { return short_jump(0xeb); }
    std::size_t skip_if(Flag flag) { return short_jump(0x70 | static_cast<unsigned>(flag)); }
    void bind(std::size_t from) {
        if (from <= out_.size() && from > 0) out_[from - 1] = static_cast<std::byte>(size_ - from);
    }

  private:
    static unsigned number(Reg value) { return static_cast<unsigned>(value); }
    void little(std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void prefixes(Width width, Op op, unsigned reg, Reg rm) {
        if (op.half) byte(0x66);
        const unsigned rex = 0x40 | (width == Width::w64 ? 8 : 0) | (reg >> 3) << 2 | number(rm) >> 3;
        if (rex != 0x40 || op.low) byte(rex);
        if (op.escape) byte(0x0f);
        byte(op.code);
    }
    void short_form(unsigned code, Reg value) {
        if (number(value) > 7) byte(0x41);
        byte(code | (number(value) & 7));
    }
    void distance(std::size_t target) {
        imm32(static_cast<std::int32_t>(static_cast<std::int64_t>(target) - static_cast<std::int64_t>(size_) - 4));
    }
    std::size_t short_jump(unsigned code) {
        byte(code);
        byte(0);
        return size_;
    }

    std::span<std::byte> out_;
    std::size_t size_ = 0;
};

}  // namespace unibpf::jit
