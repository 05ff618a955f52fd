// Control: native code of jumps, branches, calls of subprograms and exits, and what the budget costs.
//
// A program of one function is one C function: its exits return to the engine. With more functions (or a call of the first) the
// entry calls the first one, every function saves the r6-r9 that it writes, and a stop unwinds by the stack pointer that the
// entry kept. The budget is charged at jumps backwards, by their distance, and at calls, by the callee's length: what has
// neither ends by itself. The numbers are the interpreter's.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "guest/bpf/jit/operations.hpp"
#include "guest/bpf/machine.hpp"

namespace unibpf::jit {

// The core register holds the context's address, which is r1 at the entry; offsets are from there.
constexpr std::int32_t from_context(std::size_t offset) {
    return static_cast<std::int32_t>(offset) - static_cast<std::int32_t>(offsetof(MachineCore, context));
}
inline constexpr std::int32_t at_budget = from_context(offsetof(MachineCore, budget));
inline constexpr std::int32_t at_left = from_context(offsetof(MachineCore, left));
inline constexpr std::int32_t at_native_stack = from_context(offsetof(MachineCore, native_stack));
inline constexpr std::int32_t at_frame = from_context(offsetof(MachineCore, frame));
inline constexpr std::int32_t at_call_back = from_context(offsetof(MachineCore, call_back));
inline constexpr std::int32_t at_tail_calls = from_context(offsetof(MachineCore, tail_calls));
inline constexpr std::int32_t at_redirect_port = from_context(offsetof(MachineCore, redirect_port));
inline constexpr std::int32_t at_tail_target = from_context(offsetof(MachineCore, tail_target));
inline constexpr std::int32_t at_callback_stop = from_context(offsetof(MachineCore, callback_stop));
inline constexpr std::int32_t at_stack = from_context(offsetof(MachineCore, stack));
inline constexpr std::int32_t at_stack_top = at_stack + static_cast<std::int32_t>(abi::max_stack_bytes);

class Control : public Operations {
  public:
    using Operations::Operations;

  protected:
    static constexpr std::array<Reg, 6> kept_for_caller = {Reg::rbp, Reg::rbx, Reg::r12, Reg::r13, Reg::r14, Reg::r15};

    bool keeps_core() const { return plan_.homes().core != Reg::rsp; }
    bool left_in_register() const { return plan_.homes().left != Reg::rsp; }
    Memory core(std::int32_t displacement) const { return {plan_.homes().core, displacement}; }

    // --- the C function ------------------------------------------------------------------------------------------------------

    // NativeCode::Entry: saves what is used of the caller's registers and sets up r1 (which is there already), r10 and its own.
    void emit_entry() {
        emit_save(Reg::rdi);
        if (plan_.uses(frame_register)) out_.memory(Width::w64, lea, home(frame_register), core_or(Reg::rdi, at_stack_top));
        if (plan_.charges()) emit_load_left(at_budget);
        if (plan_.dispatches()) set_core(at_tail_calls, 0);
        if (plan_.redirects()) set_core(at_redirect_port, static_cast<std::int32_t>(no_port));
        if (!plan_.has_functions()) return;
        out_.memory(Width::w64, op(0x89), Reg::rsp, core(at_native_stack));
        out_.call(plan_.entry(0));
        emit_leave(Stop::exit);
    }
    void set_core(std::int32_t to, std::int32_t value) {
        out_.memory(Width::w32, op(0xc7), 0, core(to));
        out_.imm32(value);
    }
    void emit_save(Reg context) {
        for (const Reg reg : kept_for_caller) {
            if (holds_something(reg)) out_.push(reg);
        }
        if (pads_entry()) group1(Width::w64, Group1::sub, Reg::rsp, 8);
        if (keeps_core()) out_.move(Width::w64, plan_.homes().core, context);
    }
    Memory core_or(Reg context, std::int32_t displacement) const { return {keeps_core() ? plan_.homes().core : context, displacement}; }
    void emit_load_left(std::int32_t from) {
        const Reg left = left_in_register() ? plan_.homes().left : Reg::r11;
        out_.memory(Width::w64, op(0x8b), left, core(from));
        if (!left_in_register()) out_.memory(Width::w64, op(0x89), left, core(at_left));
    }

    // NativeCode::Callback: r1-r4 are there already, r8 is the context, r9 the function's number.
    void emit_called_back() {
        out_.mark(plan_.called_back());
        emit_save(Reg::r8);
        out_.memory(Width::w64, op(0x89), Reg::rsp, core(at_native_stack));
        emit_load_left(at_left);
        out_.memory(Width::w64, op(0x8b), home(frame_register), core(at_frame));
        emit_enter_frame();
        out_.move(Width::w64, Reg::r11, Reg::r9);
        out_.call(plan_.dispatch());
        emit_leave(Stop::exit);
    }

    bool holds_something(Reg reg) const {
        const auto& homes = plan_.homes();
        if (reg == homes.core || reg == homes.left) return true;
        for (unsigned i = 6; i < register_count; ++i) {
            if (plan_.uses(i) && homes.of[i] == reg) return true;
        }
        return false;
    }
    // The stack is 16-byte aligned where something is called; the return address took 8.
    bool pads_entry() const {
        if (!plan_.calls_helpers() && !plan_.has_functions()) return false;
        std::size_t pushed = 0;
        for (const Reg reg : kept_for_caller) pushed += holds_something(reg) ? 1 : 0;
        return pushed % 2 == 0;
    }

    // Back to the engine: r0 in rax, the Stop in rdx.
    void emit_leave(Stop stop) {
        emit_keep_left();
        out_.load_constant(Reg::rdx, static_cast<std::uint64_t>(stop));
        emit_restore();
    }
    void emit_keep_left() {
        if (left_in_register()) out_.memory(Width::w64, op(0x89), plan_.homes().left, core(at_left));
    }
    void emit_restore() {
        if (pads_entry()) group1(Width::w64, Group1::add, Reg::rsp, 8);
        for (std::size_t i = kept_for_caller.size(); i-- > 0;) {
            if (holds_something(kept_for_caller[i])) out_.pop(kept_for_caller[i]);
        }
        out_.ret();
    }
    void emit_unwind() {
        if (plan_.has_functions()) out_.memory(Width::w64, op(0x8b), Reg::rsp, core(at_native_stack));
    }

    // After the functions: where runs are stopped, and where functions are entered by number.
    void emit_stops() {
        if (plan_.charges()) out_.mark(plan_.budget()), emit_unwind(), emit_leave(Stop::budget);
        if (plan_.has_functions()) out_.mark(plan_.fault()), emit_unwind(), emit_leave(Stop::fault);
        if (plan_.counts_in_helpers()) {
            out_.mark(plan_.callback());  // what is left, the helper has left in memory
            emit_unwind();
            out_.memory(Width::w32, op(0x8b), Reg::rdx, core(at_callback_stop));
            emit_restore();
        }
        if (!plan_.dispatches()) return;
        emit_dispatch();
        emit_called_back();
    }
    void emit_dispatch() {
        out_.mark(plan_.dispatch());
        for (std::size_t function = 0; function < plan_.shape().count; ++function) {
            out_.load_constant(Reg::rax, plan_.shape().starts[function]);  // nobody reads r0 here
            out_.reg(Width::w32, op(0x39), Reg::rax, Reg::r11);            // cmp
            out_.jump_if(Flag::equal, plan_.chosen(function));
        }
        out_.jump(plan_.fault());  // no such function: neither the loader nor helpers give such a number
        for (std::size_t function = 0; function < plan_.shape().count; ++function) {
            out_.mark(plan_.chosen(function));
            charge(plan_.length_of(function), Reg::rax);
            out_.jump_if(Flag::above_equal, plan_.entry(function));
            out_.jump(plan_.budget());
        }
    }

    // --- functions -------------------------------------------------------------------------------------------------------------

    void begin_function(std::size_t function) {
        function_ = function;
        end_ = plan_.end_of(function);
        exit_written_ = false;
        out_.mark(plan_.entry(function));
        if (!plan_.has_functions()) return;
        for (unsigned reg = 6; reg < frame_register; ++reg) {
            if (saves(reg)) out_.push(home(reg));
        }
        if (pads_function()) group1(Width::w64, Group1::sub, Reg::rsp, 8);
    }
    bool saves(unsigned reg) const { return (plan_.saved_by(function_) & set_of(reg)) != 0; }
    bool pads_function() const { return plan_.makes_calls(function_) && std::popcount(plan_.saved_by(function_)) % 2 == 0; }

    // Pooled exits need one that is written: after the function's last instruction, which falls nowhere, if there is no other.
    void end_function() {
        if (!exit_written_) emit_exit();
    }

    void emit_exit() {
        out_.mark(plan_.last(function_));
        exit_written_ = true;
        if (!plan_.has_functions()) return emit_leave(Stop::exit);
        emit_end_frame();
        out_.ret();
    }
    void emit_end_frame() {
        if (pads_function()) group1(Width::w64, Group1::add, Reg::rsp, 8);
        for (unsigned reg = frame_register; reg-- > 6;) {
            if (saves(reg)) out_.pop(home(reg));
        }
    }

    void emit_call_local(const Instruction& in) {
        const auto callee = static_cast<std::size_t>(in.imm);  // the loader has put the function's position there
        charge(plan_.length_of(callee));
        out_.jump_if(Flag::below, plan_.budget());
        emit_enter_frame();
        out_.call(plan_.entry(callee));
        group1(Width::w64, Group1::add, home(frame_register), abi::frame_bytes);
    }
    // The ninth frame is stopped: the deepest has r10 one frame above the stack's low end.
    void emit_enter_frame() {
        out_.memory(Width::w64, lea, Reg::r11, core(at_stack + static_cast<std::int32_t>(abi::frame_bytes)));
        out_.reg(Width::w64, op(0x39), Reg::r11, home(frame_register));
        out_.jump_if(Flag::equal, plan_.fault());
        group1(Width::w64, Group1::sub, home(frame_register), abi::frame_bytes);
    }

    // After a helper at `index` that may ask for a tail call: it has when there is a number. The frame is the target's, with r1 anew.
    void emit_tail_call(std::size_t index) {
        out_.memory(Width::w32, op(0x8b), Reg::r11, core(at_tail_target));
        group1(Width::w32, Group1::cmp, Reg::r11, static_cast<std::int32_t>(no_function));
        out_.jump_if(Flag::equal, Plan::at(index + 1));
        set_core(at_tail_target, static_cast<std::int32_t>(no_function));
        out_.move(Width::w64, Reg::rdi, plan_.homes().core);
        emit_end_frame();
        out_.jump(plan_.dispatch());
    }

    // --- jumps -----------------------------------------------------------------------------------------------------------------

    // Takes so many instructions off what is left; the carry flag says that there were fewer.
    void charge(std::size_t instructions, Reg scratch = Reg::r11) {
        const auto value = static_cast<std::int32_t>(instructions);
        if (plan_.guard() != 0) return charge_guarded(instructions, scratch);
        if (left_in_register()) return group1(Width::w64, Group1::sub, plan_.homes().left, value);
        const bool small = value <= 127;
        out_.memory(Width::w64, op(small ? 0x83 : 0x81), static_cast<unsigned>(Group1::sub), core(at_left));
        small ? out_.byte(static_cast<std::uint8_t>(value)) : out_.imm32(value);
    }
    void charge_guarded(std::size_t instructions, Reg scratch) {
        out_.load_constant(scratch, instructions);
        if (left_in_register()) return out_.reg(Width::w64, op(0x29), scratch, plan_.homes().left);
        out_.memory(Width::w64, op(0x29), scratch, core(at_left));
    }

    void emit_jump(std::size_t index, std::size_t target) {
        const Label to = plan_.landing(target, function_);
        if (target > index) return out_.jump(to);
        charge(index + 1 - target);
        out_.jump_if(Flag::above_equal, to);
        out_.jump(plan_.budget());
    }

    // The jump of the instruction at `index`, when `flag` holds.
    void jump_if(Flag flag, std::size_t index, std::size_t target) {
        if (target > index) return out_.jump_if(flag, plan_.landing(target, function_));
        out_.jump_if(opposite(flag), Plan::at(index + 1));
        emit_jump(index, target);
    }

    // The branch at `index`, whose comparison has been made; returns how many instructions are done with it. A branch over a jump
    // or over a pooled exit is the opposite branch to where that goes.
    std::size_t branch(Flag flag, std::size_t index) {
        const std::size_t target = plan_.target_of(index), over = index + 1;
        if (target == over + 1) {
            const Category category = row_of(plan_.code()[over]).category;
            if (category == Category::exit) return out_.jump_if(opposite(flag), plan_.last(function_)), 2;
            if (category == Category::jump && plan_.place(over).target == 0) return jump_if(opposite(flag), over, plan_.target_of(over)), 2;
        }
        jump_if(flag, index, target);
        return 1;
    }

    void compare(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        const bool bits = row.condition == Condition::set;
        if (row.src_operand) return out_.reg(width, op(bits ? 0x85 : 0x39), home(in.src), dst);
        if (!bits && in.imm == 0) return out_.reg(width, op(0x85), dst, dst);
        if (!bits) return group1(width, Group1::cmp, dst, in.imm);
        if (in.imm >= 0 && in.imm <= 0x7f) {
            out_.reg_low(Width::w32, op(0xf6), 0, dst);
            return out_.byte(static_cast<unsigned>(in.imm));
        }
        out_.reg(width, op(0xf7), 0, dst);
        out_.imm32(in.imm);
    }
    static Flag flag_of(Condition condition) {
        switch (condition) {
            case Condition::eq: return Flag::equal;
            case Condition::gt: return Flag::above;
            case Condition::ge: return Flag::above_equal;
            case Condition::set:
            case Condition::ne: return Flag::not_equal;
            case Condition::sgt: return Flag::greater;
            case Condition::sge: return Flag::greater_equal;
            case Condition::lt: return Flag::below;
            case Condition::le: return Flag::below_equal;
            case Condition::slt: return Flag::less;
            case Condition::sle: return Flag::less_equal;
        }
    }

    std::size_t function_ = 0, end_ = 0;
    bool exit_written_ = false;
};

}  // namespace unibpf::jit
