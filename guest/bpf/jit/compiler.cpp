// One encoder table, so a long file: one short function for each category of isa.hpp.
//
// Registers: r0 rax, r1-r5 rdi rsi rdx rcx r8 (as the C ABI passes arguments), r6-r9 rbx r13 r14 r15 (callee saved), r10 rbp.
// r12 holds the MachineCore; r9 r10 r11 are scratch inside one instruction. The native stack is 16-byte aligned in a function's
// body, so that helpers may be called.
#include "guest/bpf/jit/compiler.hpp"

#include <array>
#include <bit>

#include "guest/bpf/helpers.hpp"
#include "guest/bpf/jit/emitter.hpp"

namespace unibpf::jit {
namespace {

constexpr std::array<Reg, register_count> homes = {Reg::rax, Reg::rdi, Reg::rsi, Reg::rdx, Reg::rcx, Reg::r8,
                                                   Reg::rbx, Reg::r13, Reg::r14, Reg::r15, Reg::rbp};
constexpr std::array<Reg, 6> saved_by_callee = {Reg::rbp, Reg::rbx, Reg::r12, Reg::r13, Reg::r14, Reg::r15};
constexpr std::array<Reg, 4> saved_by_call = {Reg::rbx, Reg::r13, Reg::r14, Reg::r15};

constexpr Op op(unsigned code) { return {static_cast<std::uint8_t>(code)}; }
constexpr Op op_0f(unsigned code) { return {static_cast<std::uint8_t>(code), true}; }
constexpr std::int32_t at_left = offsetof(MachineCore, left);
constexpr std::int32_t at_native_stack = offsetof(MachineCore, native_stack);
constexpr std::int32_t at_machine = offsetof(MachineCore, machine);
constexpr std::int32_t at_r0 = offsetof(MachineCore, r0);
constexpr std::int32_t at_context = offsetof(MachineCore, context);
constexpr std::int32_t at_stack = offsetof(MachineCore, stack);

// What is known of each instruction's place: its native offset, filled by the measuring pass and used by the writing one, and
// whether a jump goes there.
struct Place {
    std::uint32_t offset : 31;
    std::uint32_t target : 1;
};
using Places = std::span<Place>;

constexpr unsigned map_argument = 1;  // r1 of the map helpers

std::int64_t distance_of(const Opcode& row, const Instruction& in) { return row.offset.free ? in.offset : in.imm; }

// Before the first pass, because both passes must know the same.
void mark_targets(std::span<const Instruction> code, Places places) {
    for (std::size_t i = 0; i < code.size(); ++i) {
        const Opcode& row = describe(static_cast<Operation>(code[i].opcode));
        if (row.category == Category::load_imm64) ++i;
        if (row.category != Category::jump && row.category != Category::branch) continue;
        places[static_cast<std::size_t>(static_cast<std::int64_t>(i) + 1 + distance_of(row, code[i]))].target = 1;
    }
}

class Compiler {
  public:
    Compiler(std::span<const Instruction> code, const ProgramShape& shape, Places places, Emitter& out)
        : code_{code}, shape_{shape}, places_{places}, out_{out} {}

    void run() {
        emit_entry();
        for (index_ = 0; index_ < code_.size(); ++index_) {
            place_here();
            if (function_ < shape_.count && shape_.starts[function_] == index_) {
                ++function_;
                known_map_ = nullptr;
                out_.group1(Width::w64, 5, Reg::rsp, 8);  // sub: the return address left the stack unaligned
            }
            if (places_[index_].target != 0) known_map_ = nullptr;
            const Instruction& in = code_[index_];
            emit(in);
            forget_map(in);
        }
    }

  private:
    static Reg home(unsigned reg) { return homes[reg]; }

    void place_here() { places_[index_].offset = static_cast<std::uint32_t>(out_.size()) & 0x7fffffff; }

    // The C function: saves registers, sets up r1, r10 and r12, calls the program, and the ways out of a stopped run.
    void emit_entry() {
        for (const Reg reg : saved_by_callee) out_.push(reg);
        out_.group1(Width::w64, 5, Reg::rsp, 8);
        out_.move(Width::w64, Reg::r12, Reg::rdi);
        out_.memory(Width::w64, op(0x89), Reg::rsp, Reg::r12, at_native_stack);
        out_.memory(Width::w64, op(0x8d), Reg::rdi, Reg::r12, at_context);
        out_.memory(Width::w64, op(0x8d), Reg::rbp, Reg::r12, at_stack + static_cast<std::int32_t>(abi::max_stack_bytes));
        out_.call(places_[0].offset);
        out_.memory(Width::w64, op(0x89), Reg::rax, Reg::r12, at_r0);
        emit_leave(Stop::exit);
        budget_exit_ = out_.size();
        out_.memory(Width::w64, op(0x8b), Reg::rsp, Reg::r12, at_native_stack);
        emit_leave(Stop::budget);
        depth_exit_ = out_.size();
        out_.memory(Width::w64, op(0x8b), Reg::rsp, Reg::r12, at_native_stack);
        emit_leave(Stop::fault);
    }

    void emit_leave(Stop stop) {
        out_.load_constant(Reg::rax, static_cast<std::uint64_t>(stop));
        out_.group1(Width::w64, 0, Reg::rsp, 8);
        for (std::size_t i = saved_by_callee.size(); i-- > 0;) out_.pop(saved_by_callee[i]);
        out_.ret();
    }

    // r1 is known to hold a map handle from the load of the handle on, until r1 may have changed or another path may join.
    void forget_map(const Instruction& in) {
        const Opcode& row = describe(static_cast<Operation>(in.opcode));
        const bool writes = (row.writes_dst() && in.dst == map_argument) || (row.category == Category::atomic && in.src == map_argument);
        const bool leaves = row.category == Category::call_helper || row.category == Category::call_local || row.category == Category::exit;
        if ((writes && row.category != Category::load_imm64) || leaves) known_map_ = nullptr;
    }

    // Every category has its code here: a missing one does not compile (-Wswitch).
    void emit(const Instruction& in) {
        const Opcode& row = describe(static_cast<Operation>(in.opcode));
        switch (row.category) {
            case Category::alu: return emit_alu(row, in);
            case Category::move_sx: return emit_move_sx(row, in);
            case Category::endian: return emit_endian(row, home(in.dst));
            case Category::load_imm64: return emit_load_imm64(row, in);
            case Category::load:
            case Category::load_sx: return emit_load(row, in);
            case Category::store_imm:
            case Category::store: return emit_store(row, in);
            case Category::atomic: return emit_atomic(row, in);
            case Category::jump: return emit_jump(distance_of(row, in));
            case Category::branch: return emit_branch(row, in);
            case Category::call_helper: return emit_call_helper(in.imm);
            case Category::call_local: return emit_call_local(in.imm);
            case Category::exit: return emit_exit();
        }
    }

    // --- arithmetic (RFC 9669 4.1): 32-bit forms clear the upper half by themselves -----------------------------------------

    void emit_alu(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        switch (row.alu) {
            case Alu::add: return emit_simple(row, in, 0);
            case Alu::or_: return emit_simple(row, in, 1);
            case Alu::and_: return emit_simple(row, in, 4);
            case Alu::sub: return emit_simple(row, in, 5);
            case Alu::xor_: return emit_simple(row, in, 6);
            case Alu::mul:
                if (row.src_operand) return out_.reg(width, op_0f(0xaf), dst, home(in.src));
                out_.reg(width, op(0x69), dst, dst);
                return out_.imm32(in.imm);
            case Alu::div:
            case Alu::mod: return emit_division(row, in, false);
            case Alu::sdiv:
            case Alu::smod: return emit_division(row, in, true);
            case Alu::lsh: return emit_shift(row, in, 4);
            case Alu::rsh: return emit_shift(row, in, 5);
            case Alu::arsh: return emit_shift(row, in, 7);
            case Alu::neg: return out_.reg(width, op(0xf7), 3, dst);
            case Alu::mov:
                if (row.src_operand) return out_.move(width, dst, home(in.src));
                return out_.load_constant(dst, operand(width, in.imm));
        }
    }

    // What an immediate is worth in a register: sign-extended to 64 bits, or 32 bits alone.
    static std::uint64_t operand(Width width, std::int32_t imm) {
        return width == Width::w64 ? static_cast<std::uint64_t>(std::int64_t{imm}) : static_cast<std::uint32_t>(imm);
    }

    // add or and sub xor: group 1, whose register forms are at 8 * extension + 1.
    void emit_simple(const Opcode& row, const Instruction& in, unsigned extension) {
        const Width width = width_of(row.width);
        if (row.src_operand) return out_.reg(width, op(extension << 3 | 1), home(in.src), home(in.dst));
        out_.group1(width, extension, home(in.dst), in.imm);
    }

    // Counts are masked by the CPU as RFC 9669 masks them; a count in a register must be in cl.
    void emit_shift(const Opcode& row, const Instruction& in, unsigned extension) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        if (!row.src_operand) {
            out_.reg(width, op(0xc1), extension, dst);
            return out_.byte(static_cast<std::uint8_t>(in.imm) & (row.width - 1U));
        }
        const Reg src = home(in.src);
        if (dst == Reg::rcx) {
            out_.move(Width::w64, Reg::r11, Reg::rcx);
            out_.move(Width::w64, Reg::rcx, src);
            out_.reg(width, op(0xd3), extension, Reg::r11);
            return out_.move(width, Reg::rcx, Reg::r11);
        }
        if (src == Reg::rcx) return out_.reg(width, op(0xd3), extension, dst);
        out_.move(Width::w64, Reg::r11, Reg::rcx);
        out_.move(Width::w64, Reg::rcx, src);
        out_.reg(width, op(0xd3), extension, dst);
        out_.move(Width::w64, Reg::rcx, Reg::r11);
    }

    // div and idiv work on rdx:rax and fault on zero and on overflow: both are tested for. r11 is the divisor, then the result.
    void emit_division(const Opcode& row, const Instruction& in, bool is_signed) {
        const Width width = width_of(row.width);
        const bool modulo = row.alu == Alu::mod || row.alu == Alu::smod;
        if (row.src_operand) out_.move(width, Reg::r11, home(in.src));
        else out_.load_constant(Reg::r11, operand(width, in.imm));
        out_.move(Width::w64, Reg::r10, Reg::rax);
        out_.move(Width::w64, Reg::r9, Reg::rdx);
        out_.move(width, Reg::rax, home(in.dst));
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
        out_.group1(width, 7, Reg::r11, -1);
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
        out_.reg(width_of(row.width), sign_extending(row.bytes), home(in.dst), home(in.src));
    }
    static constexpr Op sign_extending(unsigned bytes) {
        return bytes == 1 ? Op{0xbe, true, false, true} : bytes == 2 ? op_0f(0xbf) : op(0x63);
    }

    // RFC 9669 4.2; the machine is little endian.
    void emit_endian(const Opcode& row, Reg dst) {
        const bool swap = row.order != ByteOrder::little;
        const Width width = width_of(row.bytes * 8U);
        if (row.bytes == 2) {
            if (swap) {
                out_.reg(Width::w32, {0xc1, false, true}, 1, dst);  // ror 16 bits by 8
                out_.byte(8);
            }
            return out_.reg(Width::w32, op_0f(0xb7), dst, dst);
        }
        if (swap) return emit_bswap(width, dst);
        if (row.bytes == 4) out_.move(Width::w32, dst, dst);
    }
    void emit_bswap(Width width, Reg dst) {
        const auto number = static_cast<unsigned>(dst);
        const unsigned rex = 0x40 | (width == Width::w64 ? 8 : 0) | number >> 3;
        if (rex != 0x40) out_.byte(rex);
        out_.byte(0x0f);
        out_.byte(0xc8 | (number & 7));
    }

    // Both slots; the loader has put the real value into the immediates.
    void emit_load_imm64(const Opcode& row, const Instruction& in) {
        const std::uint32_t high = static_cast<std::uint32_t>(code_[index_ + 1].imm);
        const std::uint64_t value = static_cast<std::uint32_t>(in.imm) | std::uint64_t{high} << 32;
        out_.load_constant(home(in.dst), value);
        // Sound: the loader has put the address of a Map there, which lives as long as the program.
        if (in.dst == map_argument) known_map_ = row.immediate == Immediate64::map ? reinterpret_cast<Map*>(value) : nullptr;
        ++index_;
        place_here();
    }

    // --- memory (5) ------------------------------------------------------------------------------------------------------------

    void emit_load(const Opcode& row, const Instruction& in) {
        const bool extend = row.category == Category::load_sx;
        const Op plain = row.bytes == 1 ? op_0f(0xb6) : row.bytes == 2 ? op_0f(0xb7) : op(0x8b);
        const Width width = extend || row.bytes == 8 ? Width::w64 : Width::w32;
        out_.memory(width, extend ? sign_extending(row.bytes) : plain, home(in.dst), home(in.src), in.offset);
    }

    void emit_store(const Opcode& row, const Instruction& in) {
        const bool small = row.bytes == 1;
        const Width width = width_of(row.bytes * 8U);
        const Reg base = home(in.dst);
        if (row.src_operand) {
            return out_.memory(width, {static_cast<std::uint8_t>(small ? 0x88 : 0x89), false, row.bytes == 2, small}, home(in.src), base, in.offset);
        }
        out_.memory(width, {static_cast<std::uint8_t>(small ? 0xc6 : 0xc7), false, row.bytes == 2}, 0, base, in.offset);
        if (small) out_.byte(static_cast<std::uint8_t>(in.imm));
        else if (row.bytes == 2) out_.imm16(in.imm);
        else out_.imm32(in.imm);
    }

    // No lock prefixes: one CPU, and nothing interrupts the data path (platform.hpp).
    void emit_atomic(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg src = home(in.src);
        const auto on_memory = [&](Op operation, Reg reg) { out_.memory(width, operation, reg, home(in.dst), in.offset); };
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
        const unsigned code = row.atomic == Atomic::fetch_or ? 0x09 : row.atomic == Atomic::fetch_and ? 0x21 : 0x31;
        on_memory(op(0x8b), Reg::r11);
        out_.move(width, Reg::r10, Reg::r11);
        out_.reg(width, op(code), src, Reg::r11);
        on_memory(op(0x89), Reg::r11);
        out_.move(width, src, Reg::r10);
    }

    // --- control (4.3) ---------------------------------------------------------------------------------------------------------

    std::size_t native(std::int64_t distance) const {
        return places_[static_cast<std::size_t>(static_cast<std::int64_t>(index_) + 1 + distance)].offset;
    }
    // The same numbers as the interpreter's.
    void emit_charge(std::int64_t instructions) {
        out_.memory(Width::w64, op(0x81), 5, Reg::r12, at_left);
        out_.imm32(static_cast<std::int32_t>(instructions));
        out_.jump_if(Flag::sign, budget_exit_);
    }

    void emit_jump(std::int64_t distance) {
        if (distance < 0) emit_charge(-distance);
        out_.jump(native(distance));
    }

    void emit_branch(const Opcode& row, const Instruction& in) {
        emit_compare(row, in);
        const Flag flag = flag_of(row.condition);
        if (in.offset >= 0) return out_.jump_if(flag, native(in.offset));
        const std::size_t not_taken = out_.skip_if(opposite(flag));
        emit_jump(in.offset);
        out_.bind(not_taken);
    }
    void emit_compare(const Opcode& row, const Instruction& in) {
        const Width width = width_of(row.width);
        const Reg dst = home(in.dst);
        const bool bits = row.condition == Condition::set;
        if (row.src_operand) return out_.reg(width, op(bits ? 0x85 : 0x39), home(in.src), dst);
        if (!bits) return out_.group1(width, 7, dst, in.imm);
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

    // A HelperFunction has r1..r5 as its first arguments, where they are; the machine is the sixth.
    void emit_call_helper(std::int32_t helper) {
        emit_charge(1);
        const bool lookup = abi::helpers[static_cast<std::size_t>(helper)].helper == abi::Helper::map_lookup_elem;
        if (lookup && known_map_ != nullptr && known_map_->array_like()) return emit_array_lookup(*known_map_);
        out_.memory(Width::w64, op(0x8b), Reg::r9, Reg::r12, at_machine);
        const auto function = helper_functions[static_cast<std::size_t>(helper)];
        out_.load_constant(Reg::rax, reinterpret_cast<std::uintptr_t>(function));
        out_.reg(Width::w32, op(0xff), 2, Reg::rax);
    }

    // Map::lookup of an array: its key is an index, its values never move.
    void emit_array_lookup(Map& map) {
        out_.memory(Width::w32, op(0x8b), Reg::rax, home(2), 0);
        out_.reg(Width::w32, op(0x81), 7, Reg::rax);  // cmp
        out_.imm32(static_cast<std::int32_t>(map.max_entries()));
        const std::size_t missing = out_.skip_if(Flag::above_equal);
        out_.reg(Width::w64, op(0x69), Reg::rax, Reg::rax);  // imul
        out_.imm32(static_cast<std::int32_t>(map.stride()));
        out_.load_constant(Reg::r11, reinterpret_cast<std::uintptr_t>(map.global_data()));
        out_.reg(Width::w64, op(0x01), Reg::r11, Reg::rax);
        const std::size_t found = out_.skip();
        out_.bind(missing);
        out_.load_constant(Reg::rax, 0);
        out_.bind(found);
    }

    // The ninth frame is stopped: the deepest has r10 one frame above the stack's low end.
    void emit_call_local(std::int32_t distance) {
        constexpr auto frame = static_cast<std::int32_t>(abi::frame_bytes);
        out_.memory(Width::w64, op(0x8d), Reg::r11, Reg::r12, at_stack + frame);
        out_.reg(Width::w64, op(0x39), Reg::r11, Reg::rbp);
        out_.jump_if(Flag::equal, depth_exit_);
        emit_charge(1);
        for (const Reg reg : saved_by_call) out_.push(reg);
        out_.group1(Width::w64, 5, Reg::rbp, frame);
        out_.call(native(distance));
        out_.group1(Width::w64, 0, Reg::rbp, frame);
        for (std::size_t i = saved_by_call.size(); i-- > 0;) out_.pop(saved_by_call[i]);
    }

    void emit_exit() {
        emit_charge(static_cast<std::int64_t>(index_) - shape_.starts[function_ - 1] + 1);
        out_.group1(Width::w64, 0, Reg::rsp, 8);
        out_.ret();
    }

    std::span<const Instruction> code_;
    const ProgramShape& shape_;
    Places places_;
    Emitter& out_;
    std::size_t index_ = 0;
    std::size_t function_ = 0;  // number of functions begun
    std::size_t budget_exit_ = 0, depth_exit_ = 0;
    Map* known_map_ = nullptr;  // what r1 holds, if known
};

}  // namespace

Result<NativeCode> compile(std::span<const Instruction> code, const ProgramShape& shape) {
    auto places = make_array<Place>(code.size());
    if (!places) return Error{"memory", "the heap has no room to compile", code.size()};
    mark_targets(code, places.span());
    Emitter measure{{}};
    Compiler{code, shape, places.span(), measure}.run();
    const auto pages = platform::code_allocate(measure.size());
    if (pages.empty()) return Error{"memory", "there are no code pages for the program", measure.size()};
    NativeCode native{pages, measure.size()};
    Emitter write{pages.first(measure.size())};
    Compiler{code, shape, places.span(), write}.run();
    if (!write.fits()) return Error{"load", "native code changed its size", write.size()};
    if (!platform::code_seal(pages)) return Error{"load", "the platform does not seal code pages"};
    return native;
}

// Generated code has no type signature in front of it, which the sanitizer's check of indirect calls would read.
#if defined(__clang__)
[[clang::no_sanitize("function")]]
#endif
Stop run(Machine& machine) {
    machine.left = machine.budget > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(machine.budget);
    machine.machine = &machine;
    const auto stop = static_cast<Stop>(machine.program.native().entry()(&machine));
    machine.executed = machine.budget - static_cast<std::uint64_t>(machine.left);
    machine.trap.text = stop == Stop::budget ? "instruction budget exceeded" : stop == Stop::fault ? "calls nest deeper than 8 frames" : "";
    return stop;
}

}  // namespace unibpf::jit
