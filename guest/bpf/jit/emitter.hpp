// Emitter: x86-64 encodings (Intel SDM volume 2), as many as the JIT needs, into a fixed span.
//
// What does not fit is counted and not written: a run over an empty span measures. Encodings depend on operands only (whether a
// jump is short is an operand), never on where they lie, so a second run over the same input has the same size.
#pragma once

#include <bit>
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

// An opcode: one byte, perhaps behind 0F, perhaps with the 16-bit prefix; `low`: the register operand is a byte register, of
// which spl bpl sil dil need REX.
struct Op {
    std::uint8_t code;
    bool escape = false;
    bool half = false;
    bool low = false;
};

// A memory operand: base + index * scale + displacement. Index rsp means none: the CPU has no such index either.
struct Memory {
    Reg base;
    std::int32_t displacement = 0;
    Reg index = Reg::rsp;
    std::uint8_t scale_bits = 0;  // index times 1 << scale_bits
};

// The VEX-encoded shifts of BMI2, by their mandatory prefix (SDM: pp field).
enum class Bmi2 : std::uint8_t { shlx = 1, sarx = 2, shrx = 3 };

// A jump has one of two sizes, and whoever emits it says which.
enum class Reach : std::uint8_t { near, far };

class Emitter {
  public:
    // `turned`: constants that hold a byte 0F are loaded turned and turned back (guard.hpp).
    explicit Emitter(std::span<std::byte> out, bool turned = false) : out_{out}, turned_{turned} {}
    std::size_t size() const { return size_; }
    bool fits() const { return size_ <= out_.size(); }
    bool reached() const { return reached_; }  // every near jump reached its target

    void byte(unsigned value) {
        if (size_ < out_.size()) out_[size_] = static_cast<std::byte>(value);
        ++size_;
    }
    void imm16(std::int32_t value) { little(static_cast<std::uint32_t>(value), 2); }
    void imm32(std::int32_t value) { little(static_cast<std::uint32_t>(value), 4); }
    void imm64(std::uint64_t value) { little(value, 8); }

    // op with a register operand and a register-or-memory operand; `reg` may be an opcode extension (/0../7).
    void reg(Width width, Op op, unsigned reg, Reg rm) {
        prefixes(width, op, reg, number(rm), 0, false);
        byte(0xc0 | (reg & 7) << 3 | (number(rm) & 7));
    }
    void reg(Width width, Op op, Reg reg_, Reg rm) { reg(width, op, number(reg_), rm); }
    // The other way round of `low`: the register-or-memory operand is the byte register (movzx, test, setcc).
    void reg_low(Width width, Op op, unsigned reg, Reg rm) {
        prefixes(width, op, reg, number(rm), 0, number(rm) >= 4 && number(rm) <= 7);
        byte(0xc0 | (reg & 7) << 3 | (number(rm) & 7));
    }
    void memory(Width width, Op op, unsigned reg, const Memory& at) {
        prefixes(width, op, reg, number(at.base), number(at.index), op.low && reg >= 4 && reg <= 7);
        const unsigned low = number(at.base) & 7;
        const bool indexed = at.index != Reg::rsp;
        const bool small = at.displacement >= -128 && at.displacement <= 127;
        const unsigned mode = at.displacement == 0 && low != 5 ? 0 : small ? 1 : 2;  // base 101 without displacement means RIP
        byte(mode << 6 | (reg & 7) << 3 | (indexed ? 4U : low));
        if (indexed || low == 4) byte(static_cast<unsigned>(at.scale_bits) << 6 | (number(at.index) & 7) << 3 | low);  // SIB
        if (mode == 1) byte(static_cast<std::uint8_t>(at.displacement));
        if (mode == 2) imm32(at.displacement);
    }
    void memory(Width width, Op op, Reg reg, const Memory& at) { memory(width, op, number(reg), at); }

    // to = from shifted by count; flags stay (SDM: VEX.LZ.0F38 F7 /r).
    void shift_by(Width width, Bmi2 operation, Reg to, Reg from, Reg count) {
        byte(0xc4);
        byte((number(to) > 7 ? 0U : 0x80U) | 0x40 | (number(from) > 7 ? 0U : 0x20U) | 2);
        byte((width == Width::w64 ? 0x80U : 0U) | (~number(count) & 15) << 3 | static_cast<unsigned>(operation));
        byte(0xf7);
        byte(0xc0 | (number(to) & 7) << 3 | (number(from) & 7));
    }

    void move(Width width, Reg to, Reg from) { reg(width, {0x89}, from, to); }
    // The shortest encoding that leaves `value` in all 64 bits.
    void load_constant(Reg to, std::uint64_t value) {
        if (value == 0) return reg(Width::w32, {0x31}, to, to);
        if (turned_ && has_escape(value)) return load_turned(to, value);
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
    // Flags change. There is a rotation without a byte 0F: with one at each of the 8 bit offsets there would have to be 8 of them in
    // 64 bits, side by side, and then they lie at the same offset.
    void load_turned(Reg to, std::uint64_t value) {
        const bool wide = value > UINT32_MAX;
        const auto turn = [&](unsigned by) { return wide ? std::rotr(value, static_cast<int>(by)) : std::rotr(static_cast<std::uint32_t>(value), static_cast<int>(by)); };
        unsigned by = 1;
        while (by < 7 && has_escape(turn(by))) ++by;
        if (wide || number(to) > 7) byte(0x40 | (wide ? 8 : 0) | number(to) >> 3);
        byte(0xb8 | (number(to) & 7));
        wide ? imm64(turn(by)) : imm32(static_cast<std::int32_t>(turn(by)));
        reg(wide ? Width::w64 : Width::w32, {0xc1}, 0, to);  // rol
        byte(by);
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
    // Bytes that do nothing, in as few instructions as there are (SDM: NOP, recommended multi-byte sequences).
    void no_operation(std::size_t bytes) {
        constexpr std::uint8_t most = 9;
        static constexpr std::uint8_t forms[most][most] = {
            {0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00}, {0x0f, 0x1f, 0x40, 0}, {0x0f, 0x1f, 0x44, 0, 0}, {0x66, 0x0f, 0x1f, 0x44, 0, 0},
            {0x0f, 0x1f, 0x80, 0, 0, 0, 0}, {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}};
        while (bytes > 0) {
            const std::size_t now = bytes < most ? bytes : most;
            for (std::size_t i = 0; i < now; ++i) byte(forms[now - 1][i]);
            bytes -= now;
        }
    }

    // Jumps to an offset in this code. Far: 32-bit distance; near: 8-bit, which the caller has found to do.
    void jump(Reach reach, std::size_t target) { reach == Reach::near ? near_jump(0xeb, target) : (byte(0xe9), distance(target)); }
    void jump_if(Flag flag, Reach reach, std::size_t target) {
        if (reach == Reach::near) return near_jump(0x70 | static_cast<unsigned>(flag), target);
        byte(0x0f), byte(0x80 | static_cast<unsigned>(flag)), distance(target);
    }
    void call(std::size_t target) { byte(0xe8), distance(target); }

    // Short jumps forward inside one instruction's code: returns what `bind` wants where the jump should land.
    std::size_t skip() { return short_jump(0xeb); }
    std::size_t skip_if(Flag flag) { return short_jump(0x70 | static_cast<unsigned>(flag)); }
    void bind(std::size_t from) {
        if (from <= out_.size() && from > 0) out_[from - 1] = static_cast<std::byte>(size_ - from);
    }

  private:
    static bool has_escape(std::uint64_t value) {
        for (; value != 0; value >>= 8) {
            if ((value & 0xff) == 0x0f) return true;
        }
        return false;
    }
    static unsigned number(Reg value) { return static_cast<unsigned>(value); }
    void little(std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void prefixes(Width width, Op op, unsigned reg, unsigned base, unsigned index, bool byte_register) {
        if (op.half) byte(0x66);
        const unsigned rex = 0x40 | (width == Width::w64 ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
        if (rex != 0x40 || byte_register) byte(rex);
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
    void near_jump(unsigned code, std::size_t target) {
        byte(code);
        const std::int64_t by = static_cast<std::int64_t>(target) - static_cast<std::int64_t>(size_) - 1;
        reached_ = reached_ && by == static_cast<std::int8_t>(by);
        byte(static_cast<std::uint8_t>(by));
    }
    std::size_t short_jump(unsigned code) {
        byte(code);
        byte(0);
        return size_;
    }

    std::span<std::byte> out_;
    bool turned_;
    std::size_t size_ = 0;
    bool reached_ = true;
};

}  // namespace unibpf::jit
