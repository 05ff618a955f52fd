// Patterns: instructions that clang writes one after the other and that are fewer on x86-64.
//
// eBPF has two-operand arithmetic, no addressing by two registers, no operands in memory, and clang reads what may be unaligned
// byte by byte. A pattern stands for instructions that nothing jumps into; where it leaves out a result, Plan has found that
// nobody reads it. Each function returns how many slots it has done with, 0 when the code is not its pattern.
#pragma once

#include "guest/bpf/jit/branches.hpp"

namespace unibpf::jit {

class Patterns : public Control {
  public:
    using Control::Control;

  protected:
    // What nobody reads is not computed.
    bool needless(std::size_t index, const Instruction& in, const Opcode& row) const {
        return plan_.place(index).skipped != 0 || (only_computes(row) && plan_.dead(index, in.dst));
    }

    // Patterns by the instruction that they begin with.
    std::size_t emit_pattern(std::size_t index, const Instruction& in, const Opcode& row) {
        switch (row.category) {
            case Category::alu: return row.alu == Alu::mov ? emit_moved(index, in, row) : 0;
            case Category::load_imm64: return emit_address(index, in);
            case Category::load: return emit_loaded(index, in, row);
            case Category::endian: return emit_turned_store(index, in, row);
            default: return 0;
        }
    }

  private:
    static constexpr Op movbe_load{0xf0, true, false, false, true};

    // The instruction `ahead` slots after `index`, if it is in the same straight line.
    const Instruction* straight(std::size_t index, std::size_t ahead) const {
        if (index + ahead >= end_) return nullptr;
        for (std::size_t i = index + 1; i <= index + ahead; ++i) {
            if (plan_.place(i).target != 0) return nullptr;
        }
        return plan_.place(index + ahead).second_slot != 0 ? nullptr : &plan_.code()[index + ahead];
    }
    static bool is_alu(const Instruction* in, Alu operation, unsigned dst) {
        return in != nullptr && row_of(*in).category == Category::alu && row_of(*in).alu == operation && in->dst == dst;
    }
    static bool is_load(const Instruction* in, unsigned bytes) {
        return in != nullptr && row_of(*in).category == Category::load && row_of(*in).bytes == bytes;
    }
    bool is_alu_imm(const Instruction* in, Alu operation, unsigned dst) const { return is_alu(in, operation, dst) && !row_of(*in).src_operand; }
    bool is_alu_reg(const Instruction* in, Alu operation, unsigned dst) const { return is_alu(in, operation, dst) && row_of(*in).src_operand; }

    // --- after a move -----------------------------------------------------------------------------------------------------

    std::size_t emit_moved(std::size_t index, const Instruction& in, const Opcode& row) {
        const Instruction* then = straight(index, 1);
        if (then == nullptr) return 0;
        const Opcode& next = row_of(*then);
        if (next.category != Category::alu) return 0;
        if (next.alu == Alu::mov && next.src_operand && then->src == in.dst && then->dst != in.dst && plan_.dead(index + 1, in.dst)) {
            return emit_copy(in, row, *then, next);
        }
        if (!row.src_operand || then->dst != in.dst || next.width != row.width) return 0;
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst), src = home(in.src);
        if (!next.src_operand) return emit_moved_imm(index, in, *then, width);
        const Reg other = then->src == in.dst ? src : home(then->src);
        if (next.alu == Alu::add) return emit_sum(index, in.dst, {src, 0, other}, width, 2);
        const bool shifts = next.alu == Alu::lsh || next.alu == Alu::rsh || next.alu == Alu::arsh;
        if (!shifts || !plan_.features().bmi2) return 0;
        out_.shift_by(width, next.alu == Alu::lsh ? Bmi2::shlx : next.alu == Alu::rsh ? Bmi2::shrx
                                                                                      : Bmi2::sarx,
                      dst, src, other);
        return 2;
    }

    // A value that only passes through a register.
    std::size_t emit_copy(const Instruction& in, const Opcode& row, const Instruction& then, const Opcode& next) {
        const Width width = row.width == 32 || next.width == 32 ? Width::w32 : Width::w64;
        if (row.src_operand) emit_move(width, home(then.dst), home(in.src));
        else out_.load_constant(home(then.dst), operand(width, in.imm));
        return 2;
    }

    std::size_t emit_moved_imm(std::size_t index, const Instruction& in, const Instruction& then, Width width) {
        const Reg dst = home(in.dst), src = home(in.src);
        switch (row_of(then).alu) {
            case Alu::add: return emit_sum(index, in.dst, {src, then.imm}, width, 2);
            case Alu::sub: return then.imm == INT32_MIN ? 0 : emit_sum(index, in.dst, {src, -then.imm}, width, 2);
            case Alu::mul: return multiply(width, dst, src, then.imm), 2;
            case Alu::and_:
                if (then.imm == 0xff) return out_.reg_low(Width::w32, op_0f(0xb6), static_cast<unsigned>(dst), src), 2;
                if (then.imm == 0xffff) return out_.reg(Width::w32, op_0f(0xb7), dst, src), 2;
                return 0;
            default: return 0;
        }
    }

    // dst = the address `sum`, after `done` slots; if dst is only read to load from there, the load takes the sum as its address.
    std::size_t emit_sum(std::size_t index, unsigned dst, Memory sum, Width width, std::size_t done) {
        const Instruction* load = width == Width::w64 ? straight(index, done) : nullptr;
        if (load != nullptr && reads_memory(*load) && load->src == dst && (load->dst == dst || plan_.dead(index + done, dst))) {
            const std::int64_t displacement = std::int64_t{sum.displacement} + load->offset;
            if (displacement == static_cast<std::int32_t>(displacement)) {
                sum.displacement = static_cast<std::int32_t>(displacement);
                this->load(row_of(*load), home(load->dst), sum);
                return done + 1;
            }
        }
        out_.memory(width, lea, home(dst), sum);
        return done;
    }
    static bool reads_memory(const Instruction& in) {
        return row_of(in).category == Category::load || row_of(in).category == Category::load_sx;
    }

    // --- after a 64-bit load: an address below 2 GiB is a displacement ------------------------------------------------------

    std::size_t emit_address(std::size_t index, const Instruction& in) {
        const Instruction* then = straight(index, 2);
        const bool low = plan_.code()[index + 1].imm == 0 && in.imm >= 0;
        if (!low || !is_alu_reg(then, Alu::add, in.dst) || row_of(*then).width != 64 || then->src == in.dst) return 0;
        return emit_sum(index, in.dst, {home(then->src), in.imm}, Width::w64, 3);
    }

    // --- after a load -------------------------------------------------------------------------------------------------------

    // What a load reads and where to, after `done` slots.
    struct Loaded {
        std::size_t done;
        unsigned bytes;
        unsigned reg;
        Memory from;
    };

    std::size_t emit_loaded(std::size_t index, const Instruction& in, const Opcode& row) {
        Loaded loaded{1, row.bytes, in.dst, at(in.src, in.offset)};
        const bool joined = join_bytes(index, in, loaded);
        const Instruction* then = straight(index, loaded.done);
        const Category next = then == nullptr ? Category::exit : row_of(*then).category;
        std::size_t done = 0;
        if (next == Category::branch) done = emit_compared(index, loaded, *then);
        else if (next == Category::endian) done = emit_swapped(loaded, *then);
        else if (next == Category::alu && !joined) done = emit_changed(index, in, loaded, *then);
        if (done == 0 && next == Category::alu && !joined) done = emit_operand(index, loaded, *then);
        if (done != 0 || !joined) return done;
        load_plain(loaded);
        return loaded.done;
    }

    // a = [p], b = [p + 1], b <<= 8, b |= a: one load of two bytes, if a is not needed by itself.
    bool join_bytes(std::size_t index, const Instruction& low, Loaded& loaded) const {
        if (loaded.bytes != 1) return false;
        const Instruction* high = straight(index, 1);
        if (!is_load(high, 1) || high->src != low.src || high->offset != low.offset + 1) return false;
        const Instruction* shift = straight(index, 2);
        const Instruction* join = straight(index, 3);
        if (high->dst == low.dst || low.dst == low.src) return false;
        if (!is_alu_imm(shift, Alu::lsh, high->dst) || shift->imm != 8) return false;
        if (!is_alu_reg(join, Alu::or_, high->dst) || join->src != low.dst || !plan_.dead(index + 3, low.dst)) return false;
        loaded.done = 4;
        loaded.bytes = 2;
        loaded.reg = high->dst;
        return true;
    }

    // A branch on the loaded value compares in memory. The value has no sign in its own size: signed conditions are unsigned ones.
    std::size_t emit_compared(std::size_t index, Loaded loaded, const Instruction& then) {
        const std::size_t place = index + loaded.done;
        if (then.dst != loaded.reg || !plan_.dead(place, loaded.reg)) return 0;
        const Opcode& row = row_of(then);
        if (loaded.bytes * 8U > row.width) loaded.bytes = row.width / 8;  // its low half comes first in memory
        const bool whole = loaded.bytes * 8U == row.width;
        const Op size{0, false, loaded.bytes == 2, false};
        const Width width = width_of(loaded.bytes * 8U);
        const bool bits = row.condition == Condition::set;
        if (row.src_operand) {
            if (!whole || then.src == loaded.reg) return 0;
            out_.memory(width, op(bits ? 0x85 : 0x39), home(then.src), loaded.from);
            return loaded.done + branch(flag_of(row.condition), place);
        }
        const bool fits = whole || (then.imm >= 0 && (loaded.bytes >= 4 || then.imm < 1 << loaded.bytes * 8U));
        if (!fits) return 0;
        compare_memory(loaded, width, size, bits, then.imm);
        return loaded.done + branch(whole ? flag_of(row.condition) : unsigned_flag(row.condition), place);
    }
    void compare_memory(const Loaded& loaded, Width width, Op size, bool bits, std::int32_t imm) {
        const bool byte = loaded.bytes == 1;
        const bool short_imm = !bits && !byte && imm >= -128 && imm <= 127;
        size.code = static_cast<std::uint8_t>(bits        ? (byte ? 0xf6 : 0xf7)
                                              : byte      ? 0x80
                                              : short_imm ? 0x83
                                                          : 0x81);
        out_.memory(width, size, bits ? 0U : static_cast<unsigned>(Group1::cmp), loaded.from);
        emit_immediate(byte || short_imm ? 1 : loaded.bytes, imm);
    }
    static Flag unsigned_flag(Condition condition) {
        switch (condition) {
            case Condition::sgt: return Flag::above;
            case Condition::sge: return Flag::above_equal;
            case Condition::slt: return Flag::below;
            case Condition::sle: return Flag::below_equal;
            default: return flag_of(condition);
        }
    }

    // A number in network order. Of two bytes the load has cleared the rest.
    std::size_t emit_swapped(const Loaded& loaded, const Instruction& then) {
        const Opcode& row = row_of(then);
        if (then.dst != loaded.reg || row.bytes != loaded.bytes || row.order == ByteOrder::little) return 0;
        if (loaded.bytes == 2) {
            load_plain(loaded);
            swap_low_bytes(home(loaded.reg));
            return loaded.done + 1;
        }
        if (!plan_.features().movbe) return 0;
        out_.memory(width_of(loaded.bytes * 8U), movbe_load, home(loaded.reg), loaded.from);
        return loaded.done + 1;
    }
    void load_plain(const Loaded& loaded) {
        out_.memory(loaded.bytes == 8 ? Width::w64 : Width::w32, zero_extending(loaded.bytes), home(loaded.reg), loaded.from);
    }

    // x in network order, [p] = x, if x is not needed.
    std::size_t emit_turned_store(std::size_t index, const Instruction& in, const Opcode& row) {
        const Instruction* store = straight(index, 1);
        if (store == nullptr || row.order == ByteOrder::little || !plan_.features().movbe) return 0;
        const Opcode& last = row_of(*store);
        const bool fits = last.category == Category::store && last.bytes == row.bytes && store->src == in.dst && store->dst != in.dst;
        if (!fits || !plan_.dead(index + 1, in.dst)) return 0;
        out_.memory(width_of(row.bytes * 8U), {0xf1, true, row.bytes == 2, false, true}, home(in.dst), at(store->dst, store->offset));
        return 2;
    }

    // x = [p], x op= y, [p] = x: done in memory, if x is not needed. Low bits of these operations depend on low bits only.
    std::size_t emit_changed(std::size_t index, const Instruction& in, const Loaded& loaded, const Instruction& change) {
        const Instruction* store = straight(index, 2);
        Group1 operation{};
        if (store == nullptr || in.src == in.dst || !simple(change, loaded.reg, operation)) return 0;
        const Opcode& row = row_of(change);
        const Opcode& last = row_of(*store);
        const bool same_place = last.category == Category::store && last.bytes == loaded.bytes && store->dst == in.src && store->offset == in.offset;
        if (!same_place || store->src != loaded.reg || !plan_.dead(index + 2, loaded.reg)) return 0;
        if (loaded.bytes == 1 || (loaded.bytes == 8 && row.width != 64) || (row.src_operand && change.src == loaded.reg)) return 0;
        const Width width = width_of(loaded.bytes * 8U);
        const auto code = static_cast<unsigned>(operation);
        if (row.src_operand) {
            out_.memory(width, {static_cast<std::uint8_t>(code << 3 | 1), false, loaded.bytes == 2}, home(change.src), loaded.from);
            return 3;
        }
        const bool small = change.imm >= -128 && change.imm <= 127;
        out_.memory(width, {static_cast<std::uint8_t>(small ? 0x83 : 0x81), false, loaded.bytes == 2}, code, loaded.from);
        emit_immediate(small ? 1 : loaded.bytes, change.imm);
        return 3;
    }
    static bool simple(const Instruction& in, unsigned dst, Group1& operation) {
        if (row_of(in).category != Category::alu || in.dst != dst) return false;
        switch (row_of(in).alu) {
            case Alu::add: operation = Group1::add; return true;
            case Alu::or_: operation = Group1::or_; return true;
            case Alu::and_: operation = Group1::and_; return true;
            case Alu::sub: operation = Group1::sub; return true;
            case Alu::xor_: operation = Group1::xor_; return true;
            default: return false;
        }
    }

    // x = [p], y op= x: y op= [p], if x is not needed.
    std::size_t emit_operand(std::size_t index, const Loaded& loaded, const Instruction& then) {
        Group1 operation{};
        if (!simple(then, then.dst, operation)) return 0;
        const Opcode& row = row_of(then);
        const bool fits = row.src_operand && then.src == loaded.reg && then.dst != loaded.reg && row.width == loaded.bytes * 8U;
        if (!fits || !plan_.dead(index + 1, loaded.reg)) return 0;
        out_.memory(width_of(row.width), op(static_cast<unsigned>(operation) << 3 | 3), home(then.dst), loaded.from);
        return 2;
    }
};

}  // namespace unibpf::jit
