// Emitter: x86-64 encodings (Intel SDM volume 2), as many as the JIT needs, into a draft (layout.hpp).
//
// What does not fit is counted and not written: a run without room measures. Encodings depend on operands only, never on where
// they lie, so a second run over the same input has the same size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "guest/bpf/jit/layout.hpp"

namespace unibpf::jit {

enum class Reg : std::uint8_t {
    rax,
    rcx,
    rdx,
    rbx,
    rsp,
    rbp,
    rsi,
    rdi,
    r8,
    r9,
    r10,
    r11,
    r12,
    r13,
    r14,
    r15
};
enum class Width : std::uint8_t {
    w32,
    w64
};
constexpr Width width_of(unsigned bits) { return bits == 64 ? Width::w64 : Width::w32; }

// Condition codes, SDM volume 1 appendix B.
enum class Flag : std::uint8_t {
    below = 2,
    above_equal = 3,
    equal = 4,
    not_equal = 5,
    below_equal = 6,
    above = 7,
    sign = 8,
    less = 12,
    greater_equal = 13,
    less_equal = 14,
    greater = 15
};
constexpr Flag opposite(Flag flag) { return static_cast<Flag>(static_cast<unsigned>(flag) ^ 1); }

// An opcode: one byte, perhaps after 0F or 0F 38, perhaps with the 16-bit prefix; `low`: the register operand is a byte register,
// of which spl bpl sil dil need REX.
struct Op {
    std::uint8_t code;
    bool escape = false;
    bool half = false;
    bool low = false;
    bool third = false;  // 38 after 0F
};

// A memory operand: base + index * scale + displacement. Index rsp means none: the CPU has no such index either.
struct Memory {
    Reg base;
    std::int32_t displacement = 0;
    Reg index = Reg::rsp;
    std::uint8_t scale_bits = 0;  // index times 1 << scale_bits
};

// The VEX-encoded shifts of BMI2, by their mandatory prefix (SDM: pp field).
enum class Bmi2 : std::uint8_t {
    shlx = 1,
    sarx = 2,
    shrx = 3
};

class Emitter {
  public:
    // `turned`: constants that hold a byte 0F are loaded turned and turned back (guard.hpp).
    explicit Emitter(const Draft& draft, bool turned = false) : draft_{draft}, turned_{turned} {}
    std::size_t size() const { return size_; }
    std::size_t fixups() const { return fixups_; }
    bool fits() const { return size_ + draft_slack <= draft_.bytes.size() && fixups_ <= draft_.fixups.size(); }

    void byte(unsigned value) { put(value, 1); }
    void imm16(std::int32_t value) { put(static_cast<std::uint32_t>(value), 2); }
    void imm32(std::int32_t value) { put(static_cast<std::uint32_t>(value), 4); }
    void imm64(std::uint64_t value) { put(value, 8); }

    // op with a register operand and a register-or-memory operand; `reg` may be an opcode extension (/0../7).
    void reg(Width width, Op op, unsigned reg, Reg rm) {
        put(prefixed({0xc0 | (reg & 7) << 3 | (number(rm) & 7), 1}, op, rex_of(width, reg, 0, number(rm)), false));
    }
    void reg(Width width, Op op, Reg reg_, Reg rm) { reg(width, op, number(reg_), rm); }
    // The other way round of `low`: the register-or-memory operand is the byte register (movzx, test, setcc).
    void reg_low(Width width, Op op, unsigned reg, Reg rm) {
        const bool byte_register = number(rm) >= 4 && number(rm) <= 7;
        put(prefixed({0xc0 | (reg & 7) << 3 | (number(rm) & 7), 1}, op, rex_of(width, reg, 0, number(rm)), byte_register));
    }
    void memory(Width width, Op op, unsigned reg, const Memory& at) {
        const unsigned base = number(at.base), index = number(at.index), low = base & 7;
        const bool indexed = at.index != Reg::rsp;
        const bool small = at.displacement == static_cast<std::int8_t>(at.displacement);
        const unsigned mode = at.displacement == 0 && low != 5 ? 0
                              : small                          ? 1
                                                               : 2;  // base 101 without displacement means RIP
        Head head{};
        if (mode == 1) head = {static_cast<std::uint8_t>(at.displacement), 1};
        if (indexed || low == 4) head = head.after(static_cast<unsigned>(at.scale_bits) << 6 | (index & 7) << 3 | low);  // SIB
        head = head.after(mode << 6 | (reg & 7) << 3 | (indexed ? 4U : low));
        put(prefixed(head, op, rex_of(width, reg, index, base), op.low && reg >= 4 && reg <= 7));
        if (mode == 2) imm32(at.displacement);
    }
    void memory(Width width, Op op, Reg reg, const Memory& at) { memory(width, op, number(reg), at); }

    // to = from shifted by count; flags stay (SDM: VEX.LZ.0F38 F7 /r).
    void shift_by(Width width, Bmi2 operation, Reg to, Reg from, Reg count) {
        const unsigned modrm = 0xc0 | (number(to) & 7) << 3 | (number(from) & 7);
        const unsigned second = (number(to) > 7 ? 0U : 0x80U) | 0x40 | (number(from) > 7 ? 0U : 0x20U) | 2;
        const unsigned third = (width == Width::w64 ? 0x80U : 0U) | (~number(count) & 15) << 3 | static_cast<unsigned>(operation);
        put(Head{modrm, 1}.after(0xf7).after(third).after(second).after(0xc4));
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
        put_move_imm(to, wide);
        wide ? imm64(value) : imm32(static_cast<std::int32_t>(value));
    }
    // Flags change. There is a rotation without a byte 0F: with one at each of the 8 bit offsets there would have to be 8 of them in
    // 64 bits, side by side, and then they lie at the same offset.
    void load_turned(Reg to, std::uint64_t value) {
        const bool wide = value > UINT32_MAX;
        const auto turn = [&](unsigned by) { return wide ? std::rotr(value, static_cast<int>(by)) : std::rotr(static_cast<std::uint32_t>(value), static_cast<int>(by)); };
        unsigned by = 1;
        while (by < 7 && has_escape(turn(by))) ++by;
        put_move_imm(to, wide);
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
    // At most 8 bytes.
    void no_operation(std::size_t bytes) {
        std::byte nothing[8] = {};
        write_no_operation(nothing, bytes);
        std::uint64_t value;
        std::memcpy(&value, nothing, sizeof value);
        put(value, static_cast<unsigned>(bytes));
    }

    // Jumps to marked places, before they are marked or after.
    void mark(Label label) { draft_.marks[label] = {static_cast<std::uint32_t>(size_), static_cast<std::uint32_t>(fixups_)}; }
    void jump(Label to) { add_fixup(static_cast<unsigned>(FixupKind::jump), to); }
    void jump_if(Flag flag, Label to) { add_fixup(static_cast<unsigned>(FixupKind::jump_if) | static_cast<unsigned>(flag), to); }
    void call(Label to) { add_fixup(static_cast<unsigned>(FixupKind::call), to); }
    void align() { add_fixup(static_cast<unsigned>(FixupKind::align), 0); }

    // Short jumps forward inside one instruction's code, over no fixup: returns what `bind` wants where the jump should land.
    std::size_t skip() { return short_jump(0xeb); }
    std::size_t skip_if(Flag flag) { return short_jump(0x70 | static_cast<unsigned>(flag)); }
    void bind(std::size_t from) {
        if (from <= draft_.bytes.size()) draft_.bytes[from - 1] = static_cast<std::byte>(size_ - from);
    }

  private:
    // The first bytes of an instruction, made from the last to the first.
    struct Head {
        std::uint64_t bytes = 0;
        unsigned count = 0;

        Head after(unsigned byte) const { return {bytes << 8 | byte, count + 1}; }
    };

    static bool has_escape(std::uint64_t value) {
        for (; value != 0; value >>= 8) {
            if ((value & 0xff) == 0x0f) return true;
        }
        return false;
    }
    static unsigned number(Reg value) { return static_cast<unsigned>(value); }
    // Writes all eight bytes, of which `count` stay.
    void put(std::uint64_t value, unsigned count) {
        if (size_ + sizeof value <= draft_.bytes.size()) std::memcpy(&draft_.bytes[size_], &value, sizeof value);
        size_ += count;
    }
    void put(const Head& head) { put(head.bytes, head.count); }
    static unsigned rex_of(Width width, unsigned reg, unsigned index, unsigned base) {
        return static_cast<unsigned>(width) << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
    }
    static Head prefixed(const Head& operands, Op op, unsigned rex, bool byte_register) {
        Head head = operands.after(op.code);
        if (op.third) head = head.after(0x38);
        if (op.escape) head = head.after(0x0f);
        if (rex != 0 || byte_register) head = head.after(0x40 | rex);
        return op.half ? head.after(0x66) : head;
    }
    void put_move_imm(Reg to, bool wide) {
        const Head head{0xb8 | (number(to) & 7), 1};
        put(wide || number(to) > 7 ? head.after(0x40 | (wide ? 8 : 0) | number(to) >> 3) : head);
    }
    void short_form(unsigned code, Reg value) {
        const Head head{code | (number(value) & 7), 1};
        put(number(value) > 7 ? head.after(0x41) : head);
    }
    void add_fixup(unsigned kind, Label to) {
        Fixup fixup{static_cast<std::uint32_t>(size_), to, 0, static_cast<std::uint8_t>(kind), 0};
        if (fixups_ < draft_.fixups.size()) draft_.fixups[fixups_] = fixup;
        ++fixups_;
        size_ += fixup.gap();
    }
    std::size_t short_jump(unsigned code) {
        put(code, 2);
        return size_;
    }

    // The counts stand apart: read as one, right after one of them was written, they would come late (mark).
    std::size_t size_ = 0;
    const Draft draft_;
    bool turned_;
    std::size_t fixups_ = 0;
};

}  // namespace unibpf::jit
