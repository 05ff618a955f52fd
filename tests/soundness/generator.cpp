#include "tests/soundness/generator.hpp"

#include <algorithm>

namespace unibpf::soundness {
namespace {

Operation pick_load(unsigned choice) {
    static constexpr Operation loads[] = {Operation::op_ldxb, Operation::op_ldxh, Operation::op_ldxw, Operation::op_ldxdw,
                                          Operation::op_ldxsb, Operation::op_ldxsh, Operation::op_ldxsw};
    return loads[choice % std::size(loads)];
}

Operation pick_store(unsigned choice) {
    static constexpr Operation stores[] = {Operation::op_stxb, Operation::op_stxh, Operation::op_stxw, Operation::op_stxdw};
    return stores[choice % std::size(stores)];
}

bool is_kind(Operation operation, Category category) { return describe(operation).category == category; }

}  // namespace

std::uint8_t ProgramGenerator::any(Holds what, std::uint8_t otherwise) {
    std::vector<std::uint8_t> found;
    for (std::uint8_t reg = 0; reg < holds_.size(); ++reg) {
        if (holds_[reg] == what) found.push_back(reg);
    }
    if (found.empty() || chance(2)) return otherwise;
    return found[below(found.size())];
}

std::int32_t ProgramGenerator::immediate() {
    static constexpr std::int32_t edges[] = {0, 1, 2, 4, 7, 8, 14, 15, 16, 20, 32, 34, 54, 60, 63, 64, 255, 256, 1500, 0xffff, -1, -2, -8, INT32_MAX, INT32_MIN};
    return chance(80) ? edges[below(std::size(edges))] : static_cast<std::int32_t>(random_());
}

void ProgramGenerator::emit(Operation operation, unsigned dst, unsigned src, int offset, std::int32_t imm) {
    const Opcode& row = describe(operation);
    Instruction in{row.opcode, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src), static_cast<std::int16_t>(offset), imm};
    if (!row.src.free) in.src = static_cast<std::uint8_t>(row.src.value);
    if (!row.dst.free) in.dst = static_cast<std::uint8_t>(row.dst.value);
    if (!row.offset.free) in.offset = static_cast<std::int16_t>(row.offset.value);
    if (!row.imm.free) in.imm = row.imm.value;
    code_.push_back(in);
}

void ProgramGenerator::emit_wide(Operation operation, unsigned dst, std::uint64_t value) {
    emit(operation, dst, 0, 0, static_cast<std::int32_t>(value));
    code_.push_back({0, 0, 0, 0, static_cast<std::int32_t>(value >> 32)});
}

void ProgramGenerator::to_exit(Operation operation, unsigned dst, unsigned src, std::int32_t imm) {
    exits_.push_back(code_.size());
    emit(operation, dst, src, 0, imm);
}

void ProgramGenerator::forget_calls() {
    for (unsigned reg = 0; reg <= 5; ++reg) holds_[reg] = Holds::nothing;
}

void ProgramGenerator::compute() {
    const auto dst = any(Holds::number, scratch());
    if (holds_[dst] != Holds::number) return;
    Operation operation;
    do {
        operation = static_cast<Operation>(below(operation_count));
    } while (!is_kind(operation, Category::alu) && !is_kind(operation, Category::move_sx) && !is_kind(operation, Category::endian));
    if (describe(operation).alu == Alu::mov && is_kind(operation, Category::alu) && !describe(operation).src_operand) emit(operation, dst, 0, 0, immediate());
    else emit(operation, dst, any(Holds::number, dst), 0, immediate());
}

void ProgramGenerator::move() {
    const auto dst = scratch();
    if (chance(40)) {
        emit(Operation::op_mov64_imm, dst, 0, 0, immediate());
        holds_[dst] = Holds::number;
        return;
    }
    const auto src = scratch();
    if (holds_[src] == Holds::nothing) return;
    emit(Operation::op_mov64_reg, dst, src);
    holds_[dst] = holds_[src];
}

// Mostly: t = p + n; if t > end goto exit; load or store below p + n.
void ProgramGenerator::packet_access() {
    const auto pointer = any(Holds::packet, scratch()), end = any(Holds::end, scratch());
    if (holds_[pointer] != Holds::packet || holds_[end] != Holds::end) return;
    const auto reach = static_cast<std::int32_t>(below(64));
    if (chance(75)) {
        const auto probe = scratch();
        if (probe == pointer || probe == end) return;
        emit(Operation::op_mov64_reg, probe, pointer);
        emit(Operation::op_add64_imm, probe, 0, 0, reach);
        holds_[probe] = Holds::packet;
        const bool strict = chance(10);
        switch (below(3)) {
            case 0: to_exit(strict ? Operation::op_jge64_reg : Operation::op_jgt64_reg, probe, end, 0); break;
            case 1: to_exit(strict ? Operation::op_jle64_reg : Operation::op_jlt64_reg, end, probe, 0); break;
            default:
                emit(strict ? Operation::op_jlt64_reg : Operation::op_jle64_reg, probe, end, 1);
                to_exit(Operation::op_ja, 0, 0, 0);
        }
    }
    const auto load = pick_load(static_cast<unsigned>(below(7)));
    const int size = describe(load).bytes;
    const int offset = reach - size - (chance(93) ? static_cast<int>(below(static_cast<std::uint64_t>(reach) + 1)) / 2 : -1);
    if (chance(70)) {
        const auto dst = scratch();
        emit(load, dst, pointer, offset);
        holds_[dst] = Holds::number;
    } else {
        const auto store = pick_store(static_cast<unsigned>(below(4)));
        emit(store, pointer, any(Holds::number, 0), reach - describe(store).bytes);
    }
}

// p += small number, p += number, n = end - p.
void ProgramGenerator::advance() {
    const auto pointer = any(Holds::packet, scratch());
    if (holds_[pointer] != Holds::packet) return;
    if (chance(30)) {
        emit(Operation::op_add64_imm, pointer, 0, 0, static_cast<std::int32_t>(below(40)) - (chance(10) ? 20 : 0));
        return;
    }
    const auto number = any(Holds::number, scratch()), end = any(Holds::end, scratch());
    if (chance(30) && holds_[end] == Holds::end) {
        const auto dst = scratch();
        if (dst == pointer) return;
        emit(Operation::op_mov64_reg, dst, end);
        emit(Operation::op_sub64_reg, dst, pointer);
        holds_[dst] = Holds::number;
        return;
    }
    if (holds_[number] != Holds::number) return;
    if (chance(80)) emit(Operation::op_and64_imm, number, 0, 0, static_cast<std::int32_t>(below(128)));
    emit(chance(90) ? Operation::op_add64_reg : Operation::op_sub64_reg, pointer, number);
}

void ProgramGenerator::test_length() {
    const auto number = any(Holds::number, scratch());
    if (holds_[number] != Holds::number) return;
    static constexpr Operation tests[] = {Operation::op_jlt64_imm, Operation::op_jgt64_imm, Operation::op_jslt64_imm, Operation::op_jsgt64_imm,
                                          Operation::op_jlt32_imm, Operation::op_jsgt32_imm, Operation::op_jne64_imm, Operation::op_jset64_imm};
    to_exit(tests[below(std::size(tests))], number, 0, immediate());
}

void ProgramGenerator::stack_access() {
    const int offset = -8 * static_cast<int>(1 + below(6));
    const auto reg = scratch();
    if (chance(55)) {
        if (holds_[reg] == Holds::nothing) return;
        if (holds_[reg] == Holds::number && chance(40)) emit(pick_store(static_cast<unsigned>(below(4))), frame_register, reg, offset);
        else emit(Operation::op_stxdw, frame_register, reg, offset);
        return;
    }
    if (chance(60)) {
        emit(Operation::op_stdw, frame_register, 0, offset, immediate());
        emit(pick_load(static_cast<unsigned>(below(7))), reg, frame_register, offset + static_cast<int>(below(2)));
    } else {
        emit(Operation::op_ldxdw, reg, frame_register, offset);
    }
    holds_[reg] = Holds::number;
}

void ProgramGenerator::look_up() {
    emit(Operation::op_stw, frame_register, 0, -4, static_cast<std::int32_t>(below(6)));
    const auto map = below(2);
    emit_wide(Operation::op_lddw_map, 1, map);
    emit(Operation::op_mov64_reg, 2, frame_register);
    emit(Operation::op_add64_imm, 2, 0, 0, -4);
    emit(Operation::op_call_helper, 0, 0, 0, 1);
    forget_calls();
    if (chance(90)) to_exit(Operation::op_jeq64_imm, 0, 0, 0);
    holds_[0] = Holds::map_value;
    if (chance(60)) {
        const auto keep = static_cast<std::uint8_t>(6 + below(2));
        emit(Operation::op_mov64_reg, keep, 0);
        holds_[keep] = Holds::map_value;
    }
}

void ProgramGenerator::value_access() {
    const auto pointer = any(Holds::map_value, scratch());
    if (holds_[pointer] != Holds::map_value) return;
    if (chance(30)) {
        const auto number = any(Holds::number, scratch());
        if (holds_[number] != Holds::number) return;
        emit(Operation::op_and64_imm, number, 0, 0, static_cast<std::int32_t>(below(24)));
        emit(Operation::op_add64_reg, pointer, number);
        return;
    }
    const auto offset = static_cast<int>(below(chance(90) ? 9 : 70));
    if (chance(50)) {
        const auto dst = scratch();
        emit(pick_load(static_cast<unsigned>(below(7))), dst, pointer, offset);
        holds_[dst] = Holds::number;
    } else {
        emit(pick_store(static_cast<unsigned>(below(4))), pointer, any(Holds::number, pointer), offset);
    }
}

void ProgramGenerator::atomic() {
    const auto pointer = any(Holds::map_value, 10), number = any(Holds::number, scratch());
    if (holds_[number] != Holds::number || (pointer != 10 && holds_[pointer] != Holds::map_value)) return;
    Operation operation;
    do {
        operation = static_cast<Operation>(below(operation_count));
    } while (!is_kind(operation, Category::atomic));
    emit(operation, pointer, number, pointer == 10 ? -8 : 0);
}

void ProgramGenerator::call() {
    static constexpr std::int32_t simple[] = {5, 7, 8};
    if (chance(70)) {
        emit(Operation::op_call_helper, 0, 0, 0, simple[below(std::size(simple))]);
        forget_calls();
        holds_[0] = Holds::number;
        return;
    }
    if (in_function_) return;
    // bpf_xdp_adjust_head or _tail; the context was spilled to r10 - 56
    emit(Operation::op_ldxdw, 1, frame_register, -56);
    emit(Operation::op_mov64_imm, 2, 0, 0, static_cast<std::int32_t>(below(41)) - 20);
    emit(Operation::op_call_helper, 0, 0, 0, chance(50) ? 44 : 65);
    forget_calls();
    holds_[0] = Holds::number;
    if (chance(10)) return;
    for (auto& what : holds_) {
        if (what == Holds::packet || what == Holds::end) what = Holds::nothing;
    }
    emit(Operation::op_ldxdw, 1, frame_register, -56);
    emit(Operation::op_ldxw, 6, 1, 0);
    emit(Operation::op_ldxw, 7, 1, 4);
    holds_[6] = Holds::packet;
    holds_[7] = Holds::end;
    holds_[1] = Holds::nothing;
}

void ProgramGenerator::branch(unsigned depth) {
    const auto left = any(Holds::number, scratch()), right = any(Holds::number, scratch());
    if (holds_[left] != Holds::number || holds_[right] != Holds::number) return;
    Operation operation;
    do {
        operation = static_cast<Operation>(below(operation_count));
    } while (!is_kind(operation, Category::branch));
    const std::size_t at = code_.size();
    emit(operation, left, right, 0, immediate());
    const auto before = holds_;
    const unsigned count = 1 + static_cast<unsigned>(below(4));
    for (unsigned i = 0; i < count; ++i) statement(depth + 1);
    code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    for (std::size_t reg = 0; reg < holds_.size(); ++reg) {
        if (holds_[reg] != before[reg]) holds_[reg] = Holds::nothing;
    }
}

// for (i = 0; i < n; i += step), counting up or down; the counter is r8 or r9.
void ProgramGenerator::loop(unsigned depth) {
    if (loops_ == 2) return;
    const unsigned counter = 8 + loops_++;
    const bool down = chance(30);
    const auto rounds = static_cast<std::int32_t>(1 + below(chance(80) ? 12 : 400));
    emit(Operation::op_mov64_imm, counter, 0, 0, down ? rounds : 0);
    holds_[counter] = Holds::number;
    const auto before = holds_;
    const std::size_t head = code_.size();
    const unsigned count = 1 + static_cast<unsigned>(below(4));
    for (unsigned i = 0; i < count; ++i) statement(depth + 1);
    emit(Operation::op_add64_imm, counter, 0, 0, down ? -1 : static_cast<std::int32_t>(1 + below(2)));
    const Operation tests[] = {Operation::op_jlt64_imm, Operation::op_jslt64_imm, Operation::op_jne64_imm, Operation::op_jlt32_imm, Operation::op_jle64_imm};
    const Operation test = down ? (chance(50) ? Operation::op_jne64_imm : Operation::op_jsgt64_imm) : tests[below(std::size(tests))];
    emit(test, counter, 0, static_cast<int>(head) - static_cast<int>(code_.size()) - 1, down ? 0 : rounds);
    for (std::size_t reg = 0; reg < holds_.size(); ++reg) {
        if (holds_[reg] != before[reg]) holds_[reg] = Holds::nothing;
    }
    --loops_;
}

// p = null; if (...) p = packet or value; ...; if (p) use(p): what is known of p hangs on p itself.
void ProgramGenerator::optional_pointer(unsigned depth) {
    const auto source = any(chance(60) ? Holds::packet : Holds::map_value, scratch());
    const auto pointer = static_cast<std::uint8_t>(6 + below(2));
    if (holds_[source] == Holds::nothing || holds_[source] == Holds::number || pointer == source) return;
    const Holds kind = holds_[source];
    emit(Operation::op_mov64_imm, pointer, 0, 0, 0);
    holds_[pointer] = Holds::nothing;
    const auto number = any(Holds::number, scratch());
    if (holds_[number] != Holds::number) return;
    const std::size_t at = code_.size();
    emit(Operation::op_jgt64_imm, number, 0, 0, immediate());
    if (kind == Holds::packet) packet_access();
    if (holds_[source] == kind) emit(Operation::op_mov64_reg, pointer, source);
    code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    if (chance(50)) statement(depth + 1);
    if (holds_[pointer] != Holds::nothing) return;
    if (chance(90)) to_exit(Operation::op_jeq64_imm, pointer, 0, 0);
    const auto dst = scratch();
    emit(pick_load(static_cast<unsigned>(below(7))), dst, pointer, static_cast<int>(below(12)));
    holds_[dst] = Holds::number;
}

// An initialised array on the stack, written and read at an index that is not constant.
void ProgramGenerator::stack_index() {
    const auto number = any(Holds::number, scratch()), pointer = scratch();
    if (holds_[number] != Holds::number || pointer == number) return;
    const unsigned words = 1 + static_cast<unsigned>(below(3));
    for (unsigned i = 0; i < words; ++i) emit(Operation::op_stdw, frame_register, 0, -88 - 8 * static_cast<int>(i), immediate());
    emit(Operation::op_and64_imm, number, 0, 0, static_cast<std::int32_t>(below(words * 8 + (chance(10) ? 8 : 0))));
    emit(Operation::op_mov64_reg, pointer, frame_register);
    emit(Operation::op_add64_imm, pointer, 0, 0, -80 - 8 * static_cast<std::int32_t>(words));
    emit(Operation::op_add64_reg, pointer, number);
    holds_[pointer] = Holds::nothing;
    emit(chance(50) ? Operation::op_stxb : Operation::op_stb, pointer, number, 0, 0);
    if (find_operation(code_.back()) == Operation::op_stb) code_.back().imm = immediate();
    const auto dst = scratch();
    if (chance(50)) emit(pick_load(static_cast<unsigned>(below(7))), dst, frame_register, -88);
    else emit(Operation::op_ldxb, dst, pointer, 0);
    holds_[dst] = Holds::number;
}

// f(packet, end, number), two of them after the program.
void ProgramGenerator::call_function() {
    const auto pointer = any(Holds::packet, 6), end = any(Holds::end, 7);
    if (in_function_ || holds_[pointer] != Holds::packet || holds_[end] != Holds::end || pointer == 2 || end == 1) return;
    if (pointer != 1) emit(Operation::op_mov64_reg, 1, pointer);
    if (end != 2) emit(Operation::op_mov64_reg, 2, end);
    if (chance(50)) emit(Operation::op_mov64_imm, 3, 0, 0, immediate());
    else emit(Operation::op_mov64_reg, 3, frame_register);
    calls_.emplace_back(code_.size(), static_cast<unsigned>(below(2)));
    emit(Operation::op_call_local);
    forget_calls();
    holds_[0] = Holds::number;
}

void ProgramGenerator::finish_function(bool returns_number) {
    for (const std::size_t at : exits_) code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    if (returns_number) emit(Operation::op_mov64_imm, 0, 0, 0, static_cast<std::int32_t>(below(5)));
    emit(Operation::op_exit);
}

// Reserved, written, given back: each of them with a mistake now and then.
void ProgramGenerator::record() {
    emit_wide(Operation::op_lddw_map, 1, 2);
    emit(Operation::op_mov64_imm, 2, 0, 0, 8 + 8 * static_cast<std::int32_t>(below(2)));
    emit(Operation::op_mov64_imm, 3);
    emit(Operation::op_call_helper, 0, 0, 0, 131);
    forget_calls();
    std::size_t test = code_.size();
    const bool tests = chance(95);
    if (tests) emit(Operation::op_jeq64_imm, 0);
    emit(pick_store(static_cast<unsigned>(below(4))), 0, any(Holds::number, 10), static_cast<int>(below(chance(90) ? 8 : 20)));
    if (chance(3)) to_exit(Operation::op_jeq64_reg, 6, 6, 0);
    emit(Operation::op_mov64_reg, 1, 0);
    emit(Operation::op_mov64_imm, 2);
    if (chance(97)) emit(Operation::op_call_helper, 0, 0, 0, chance(50) ? 132 : 133);
    forget_calls();
    holds_[0] = Holds::nothing;
    if (tests) code_[test].offset = static_cast<std::int16_t>(code_.size() - test - 1);
}

// bpf_loop with 16 bytes of this frame as its context; what the rounds leave there is used as an index.
void ProgramGenerator::loop_by_helper() {
    if (in_function_) return;
    emit(Operation::op_stdw, frame_register, 0, -136, static_cast<std::int32_t>(below(3)));
    emit(Operation::op_stdw, frame_register, 0, -128, immediate());
    const auto number = any(Holds::number, 0);
    if (holds_[number] == Holds::number && chance(30)) emit(Operation::op_mov64_reg, 1, number), emit(Operation::op_and64_imm, 1, 0, 0, 255);
    else emit(Operation::op_mov64_imm, 1, 0, 0, static_cast<std::int32_t>(below(60)));
    calls_.emplace_back(code_.size(), 2);
    emit_wide(Operation::op_lddw_function, 2, 0);
    emit(Operation::op_mov64_reg, 3, frame_register);
    emit(Operation::op_add64_imm, 3, 0, 0, -136);
    emit(Operation::op_mov64_imm, 4);
    emit(Operation::op_call_helper, 0, 0, 0, 181);
    forget_calls();
    holds_[0] = Holds::number;
    const auto kept = static_cast<std::uint8_t>(1 + below(5));
    emit(Operation::op_ldxdw, kept, frame_register, -136);
    holds_[kept] = Holds::number;
}

// r1: index, r2: the caller's 16 bytes.
void ProgramGenerator::callback() {
    begin_function(2);
    emit(Operation::op_ldxdw, 3, 2, 0);
    if (chance(30)) to_exit(Operation::op_jgt64_imm, 3, 0, static_cast<std::int32_t>(below(70)));
    if (chance(50)) emit(Operation::op_add64_imm, 3, 0, 0, 1);
    else emit(Operation::op_mov64_reg, 3, 1);
    emit(Operation::op_stxdw, 2, 3, chance(95) ? 0 : 12);
    emit(Operation::op_mov64_reg, 6, 1);
    emit(Operation::op_mov64_imm, 0);
    holds_[6] = holds_[3] = holds_[0] = Holds::number;
    const unsigned count = static_cast<unsigned>(below(5));
    for (unsigned i = 0; i < count; ++i) statement(1);
    emit(Operation::op_mov64_imm, 0, 0, 0, chance(80) ? 0 : 1);
    emit(Operation::op_ja, 0, 0, 1);
    for (const std::size_t at : exits_) code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    emit(Operation::op_mov64_imm, 0, 0, 0, 1);
    emit(Operation::op_exit);
    in_function_ = false;
}

void ProgramGenerator::begin_function(unsigned index) {
    for (const auto& [at, callee] : calls_) {
        if (callee == index) code_[at].imm = static_cast<std::int32_t>(code_.size() - at - 1);
    }
    exits_.clear();
    holds_ = {};
    in_function_ = true;
}

void ProgramGenerator::function(unsigned index) {
    begin_function(index);
    emit(Operation::op_mov64_reg, 6, 1);
    emit(Operation::op_mov64_reg, 7, 2);
    emit(Operation::op_mov64_imm, 0, 0, 0, 2);
    holds_[6] = Holds::packet;
    holds_[7] = Holds::end;
    holds_[0] = Holds::number;
    if (chance(30)) emit(Operation::op_stdw, 3, 0, -16, 7);  // the caller's stack, if r3 is its address
    const unsigned count = 1 + static_cast<unsigned>(below(6));
    for (unsigned i = 0; i < count; ++i) statement(1);
    finish_function(chance(80));
    in_function_ = false;
}

void ProgramGenerator::statement(unsigned depth) {
    if (hostile_ != 0 && chance(45)) return hostile();
    switch (below(depth < 3 ? 19 : 11)) {
        case 0:
        case 1: compute(); break;
        case 2: move(); break;
        case 3:
        case 4: packet_access(); break;
        case 5: advance(); break;
        case 6: stack_access(); break;
        case 7: look_up(); break;
        case 8: value_access(); break;
        case 9: chance(50) ? test_length() : atomic(); break;
        case 10:
            if (chance(40)) call();
            break;
        case 11:
        case 12: branch(depth); break;
        case 13: optional_pointer(depth); break;
        case 14: call_function(); break;
        case 15: stack_index(); break;
        case 16: record(); break;
        case 17: loop_by_helper(); break;
        default: loop(depth); break;
    }
}

std::vector<Instruction> ProgramGenerator::program() {
    code_.clear();
    exits_.clear();
    calls_.clear();
    holds_ = {};
    loops_ = 0;
    in_function_ = uses_tail_ = false;
    aims_.clear();
    tail_ = 0;
    hostile_ = 0;
    for (unsigned i = 0; i < 4; ++i) hostile_ |= chance(75) ? 1U << below(17) : 0;
    emit(Operation::op_stxdw, frame_register, 1, -56);
    emit(Operation::op_ldxw, 6, 1, 0);
    emit(Operation::op_ldxw, 7, 1, 4);
    emit(Operation::op_mov64_imm, 0, 0, 0, 1);
    holds_[6] = Holds::packet;
    holds_[7] = Holds::end;
    holds_[0] = Holds::number;
    const unsigned count = 3 + static_cast<unsigned>(below(14));
    for (unsigned i = 0; i < count; ++i) statement(0);
    finish_function(chance(95));
    for (unsigned index = 0; index < 4; ++index) {
        if (std::none_of(calls_.begin(), calls_.end(), [&](const auto& call) { return call.second == index; })) continue;
        if (index < 2) function(index);
        else if (index == 2) callback();
        else element_callback();
    }
    if (uses_tail_) tail_function();
    return code_;
}

}  // namespace unibpf::soundness
