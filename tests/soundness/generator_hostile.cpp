// Statements that try what an attacker would: each is refused as a rule, and harmless where it is not.
#include <iterator>

#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {
namespace {

Operation pick(std::uint64_t choice, std::initializer_list<Operation> from) { return from.begin()[choice % from.size()]; }

constexpr int buffer_start = -208, buffer_words = 8, long_start = -216, key_start = -32, spill_start = -120, context_start = -136;

// Distances at which addresses wrap, change their sign or leave the lower 4 GiB.
constexpr std::uint64_t distances[] = {
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0xffffffff80000000,
    0xffffffff7fffffff,
    0xffffffff00000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x10000,
    0xffffffffffff0000,
    0x10000000000,
    0xffffff0000000000,
    8,
    0xfffffffffffffff8,
};

}  // namespace

std::uint8_t ProgramGenerator::readable() {
    for (unsigned i = 0; i < 8; ++i) {
        const auto reg = scratch();
        if (holds_[reg] != Holds::nothing) return reg;
    }
    return frame_register;
}

std::uint8_t ProgramGenerator::pointer() {
    for (unsigned i = 0; i < 8; ++i) {
        const auto reg = scratch();
        if (holds_[reg] != Holds::nothing && holds_[reg] != Holds::number) return reg;
    }
    return frame_register;
}

void ProgramGenerator::load_stack(unsigned reg, int offset) {
    emit(Operation::op_mov64_reg, reg, frame_register);
    emit(Operation::op_add64_imm, reg, 0, 0, offset);
}

// 0, 1: functions; 2: callback of bpf_loop; 3: of bpf_for_each_map_elem; above: the program's entry.
void ProgramGenerator::load_function(unsigned reg, unsigned index) {
    const std::size_t at = code_.size();
    if (index < 4) calls_.emplace_back(at, index);
    emit_wide(Operation::op_lddw_function, reg, 0);
    if (index >= 4) code_[at].imm = -static_cast<std::int32_t>(at) - 1;
    if (index >= 4) code_[at + 1].imm = 0;
}

void ProgramGenerator::call_helper(std::int32_t number) {
    emit(Operation::op_call_helper, 0, 0, 0, number);
    forget_calls();
    holds_[0] = Holds::number;
}

// A number of which the analyser knows nothing and that packets decide: their length.
std::uint8_t ProgramGenerator::unknown_number() {
    const auto found = any(Holds::number, 0);
    if (in_function_ || (chance(50) && holds_[found] == Holds::number)) return found;
    load_context(1);
    call_helper(188);
    return 0;
}

void ProgramGenerator::hostile() {
    unsigned choice;
    do {
        choice = static_cast<unsigned>(below(17));
    } while ((hostile_ >> choice & 1) == 0);
    switch (choice) {
        case 0: return narrow_move();
        case 1: return partial_spill();
        case 2: return context_load();
        case 3: return move_far();
        case 4: return null_join();
        case 5: return function_address();
        case 6: return for_each();
        case 7: return tail_call();
        case 8: return inner_map();
        case 9: return prefix_lookup();
        case 10: return lock();
        case 11: return metadata();
        case 12:
        case 13: return any_helper();
        case 14: return pointer_branch();
        case 15: return failing_load();
        default: return pointer_alu();
    }
}

// The low half of whatever a register holds, and what can be done with halves.
void ProgramGenerator::narrow_move() {
    auto src = chance(60) ? any(Holds::packet, readable()) : readable();
    const auto dst = static_cast<std::uint8_t>(chance(50) ? 6 + below(2) : scratch());
    // The guest's packet addresses are their own halves, as long as they lie inside the packet.
    if (src != frame_register && holds_[src] == Holds::packet && chance(70)) {
        emit(Operation::op_mov64_reg, dst, src);
        far_move(dst);
        src = dst;
        holds_[dst] = Holds::packet;
    }
    emit(Operation::op_mov32_reg, dst, src);
    holds_[dst] = src != frame_register && holds_[src] == Holds::number ? Holds::number : Holds::half;
    if (chance(60)) return spill(dst);
    const auto other = any(Holds::half, dst);
    if (holds_[other] != Holds::half || other == dst || chance(40)) return;
    if (chance(60)) {
        emit(pick(below(4), {Operation::op_sub32_reg, Operation::op_sub32_reg, Operation::op_sub64_reg, Operation::op_add32_reg}), dst, other);
        holds_[dst] = Holds::number;
        return;
    }
    to_exit(pick(below(4), {Operation::op_jlt32_reg, Operation::op_jge32_reg, Operation::op_jeq64_reg, Operation::op_jsgt32_reg}), dst, other, 0);
}

// Stored by a width, taken back by another one or from beside.
void ProgramGenerator::partial_spill() { spill(chance(50) ? any(Holds::half, readable()) : readable()); }

void ProgramGenerator::spill(unsigned src) {
    const bool is_number = src != frame_register && holds_[src] == Holds::number;
    const bool is_half = src != frame_register && holds_[src] == Holds::half;
    if (chance(50)) emit(Operation::op_stdw, frame_register, 0, spill_start, immediate());
    static constexpr Operation stores[] = {Operation::op_stxb, Operation::op_stxh, Operation::op_stxw, Operation::op_stxdw};
    const auto fits = is_half     ? 2U
                      : is_number ? static_cast<unsigned>(below(4))
                                  : 3U;
    emit(stores[chance(92) ? fits : below(4)], frame_register, src, spill_start + (chance(85) ? 0 : 4));
    const Operation same = is_half ? (chance(50) ? Operation::op_ldxsw : Operation::op_ldxw) : Operation::op_ldxdw;
    static constexpr Operation loads[] = {Operation::op_ldxb, Operation::op_ldxh, Operation::op_ldxw, Operation::op_ldxdw, Operation::op_ldxsb, Operation::op_ldxsh, Operation::op_ldxsw};
    const auto dst = scratch();
    const bool as_stored = chance(65);
    const Operation load = as_stored ? same : loads[below(std::size(loads))];
    emit(load, dst, frame_register, code_.back().offset + (as_stored || chance(50) ? 0 : static_cast<int>(below(4))));
    holds_[dst] = load == same && load != Operation::op_ldxsw && src != frame_register ? holds_[src] : Holds::number;
}

void ProgramGenerator::context_load() {
    if (in_function_) return;
    const auto dst = scratch();
    const int offset = 4 * static_cast<int>(below(6));
    load_context(1);
    holds_[1] = Holds::nothing;
    const Operation load = chance(55) ? Operation::op_ldxw
                                      : pick(below(7), {Operation::op_ldxsw, Operation::op_ldxsw, Operation::op_ldxb, Operation::op_ldxh, Operation::op_ldxdw, Operation::op_ldxsb, Operation::op_ldxsh});
    emit(load, dst, 1, chance(95) ? offset : static_cast<int>(below(30)));
    holds_[dst] = offset == 0 || offset == 8 ? Holds::packet
                  : offset == 4              ? Holds::end
                                             : Holds::number;
    if (load != Operation::op_ldxw && load != Operation::op_ldxsw) holds_[dst] = Holds::number;
}

// Moves a pointer by a constant in r1..r5 that is chosen once it is known where the pointer points.
void ProgramGenerator::far_move(unsigned reg) {
    const auto by = static_cast<unsigned>(1 + below(5));
    if (by == reg) return;
    const bool backwards = chance(30);
    aims_.push_back({code_.size(), static_cast<std::uint8_t>(reg), backwards});
    emit_wide(Operation::op_lddw, by, distances[below(std::size(distances))] + (chance(80) ? 0 : below(64)));
    emit(backwards ? Operation::op_sub64_reg : Operation::op_add64_reg, reg, by);
    holds_[by] = Holds::number;
}

void ProgramGenerator::move_far() {
    const auto from = pointer();
    const auto moved = static_cast<std::uint8_t>(6 + below(2));
    if (moved == from) return;
    emit(Operation::op_mov64_reg, moved, from);
    holds_[moved] = from == frame_register ? Holds::nothing : holds_[from];
    far_move(moved);
    if (chance(40)) emit(pick(below(2), {Operation::op_jeq64_imm, Operation::op_jne64_imm}), moved, 0, 1, 0), emit(Operation::op_mov64_imm, moved, 0, 0, immediate()), holds_[moved] = Holds::nothing;
    if (chance(30)) emit(Operation::op_mov32_reg, moved, moved), holds_[moved] = Holds::half;
}

// Two pointers become null together, but one was moved before: a test of it is no test of the other.
void ProgramGenerator::null_join() {
    const auto source = chance(70) ? any(Holds::map_value, any(Holds::packet, scratch())) : pointer();
    if (source == frame_register || holds_[source] == Holds::nothing || holds_[source] == Holds::number) return;
    const auto moved = static_cast<std::uint8_t>(6 + below(2)), other = static_cast<std::uint8_t>(13 - moved);
    const auto number = unknown_number();
    if (holds_[source] == Holds::nothing || holds_[number] != Holds::number || number == moved || number == other) return;
    if (source != other) emit(Operation::op_mov64_reg, other, source);
    emit(Operation::op_mov64_reg, moved, other);
    if (chance(60)) far_move(moved);
    else if (chance(70)) emit(Operation::op_add64_imm, moved, 0, 0, immediate());
    if (holds_[number] != Holds::number) return;
    emit(Operation::op_jset64_imm, number, 0, 2, 1);
    emit(Operation::op_mov64_imm, moved);
    emit(Operation::op_mov64_imm, other);
    if (chance(80)) {
        emit(Operation::op_jne64_imm, moved, 0, 2, 0);
        emit(Operation::op_mov64_reg, 0, other);
        emit(Operation::op_mov64_reg, 2, other);
    } else {
        to_exit(Operation::op_jeq64_imm, moved, 0, 0);
        emit(Operation::op_ldxb, 2, other, 0);
    }
    emit(Operation::op_mov64_imm, 0, 0, 0, immediate());
    holds_[moved] = holds_[other] = holds_[2] = Holds::nothing;
    holds_[0] = Holds::number;
}

void ProgramGenerator::function_address() {
    const auto reg = scratch();
    if (in_function_) return;
    load_function(reg, chance(50) ? 4 : 2);
    holds_[reg] = Holds::nothing;
    emit(pick(below(5), {Operation::op_jne64_imm, Operation::op_jne64_imm, Operation::op_jeq64_imm, Operation::op_jne32_imm, Operation::op_jgt64_imm}), reg, 0, 1, 0);
    emit(Operation::op_mov64_imm, scratch(), 0, 0, immediate());
    if (chance(20)) emit(Operation::op_stxdw, frame_register, reg, -8);
    if (chance(10)) emit(Operation::op_add64_imm, reg, 0, 0, immediate());
}

void ProgramGenerator::for_each() {
    if (in_function_) return;
    emit(Operation::op_stdw, frame_register, 0, context_start, static_cast<std::int32_t>(below(3)));
    emit(Operation::op_stdw, frame_register, 0, context_start + 8, immediate());
    static constexpr Map maps[] = {Map::hash, Map::array, Map::lru, Map::percpu, Map::inner, Map::percpu_hash, Map::lru_percpu, Map::routes};
    load_map(1, maps[below(chance(95) ? 7 : 8)]);
    load_function(2, 3);
    load_stack(3, context_start);
    emit(Operation::op_mov64_imm, 4, 0, 0, chance(95) ? 0 : 1);
    call_helper(164);
    const auto kept = static_cast<std::uint8_t>(1 + below(5));
    emit(Operation::op_ldxdw, kept, frame_register, context_start);
    holds_[kept] = Holds::number;
}

// r1: map, r2: key, r3: value, r4: the caller's 16 bytes.
void ProgramGenerator::element_callback() {
    begin_function(3);
    emit(Operation::op_ldxw, 6, 2, chance(95) ? 0 : 4);
    emit(chance(60) ? Operation::op_ldxdw : Operation::op_ldxsw, 5, 3, static_cast<int>(below(chance(95) ? 9 : 20)));
    if (chance(50)) emit(Operation::op_stxdw, 3, 6, 8);
    emit(Operation::op_ldxdw, 7, 4, 0);
    if (chance(30)) to_exit(Operation::op_jgt64_imm, 7, 0, static_cast<std::int32_t>(below(20)));
    emit(Operation::op_add64_imm, 7, 0, 0, 1);
    emit(Operation::op_stxdw, 4, 7, chance(97) ? 0 : 12);
    if (chance(25)) call_helper(3);  // the map and the key are good enough for bpf_map_delete_elem
    holds_ = {};
    holds_[6] = holds_[7] = Holds::number;
    if (chance(30)) statement(2);
    emit(Operation::op_mov64_imm, 0, 0, 0, chance(80) ? 0 : 1);
    for (const std::size_t at : exits_) code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    emit(Operation::op_mov64_imm, 0, 0, 0, 0);
    emit(Operation::op_exit);
    in_function_ = false;
}

void ProgramGenerator::tail_call() {
    if (in_function_) return;
    load_context(1);
    load_map(2, Map::jumps);
    emit(Operation::op_mov64_imm, 3, 0, 0, static_cast<std::int32_t>(below(3)));
    call_helper(12);
    uses_tail_ = true;
}

void ProgramGenerator::tail_function() {
    tail_ = static_cast<std::uint32_t>(code_.size());
    exits_.clear();
    holds_ = {};
    emit(Operation::op_stxdw, frame_register, 1, -56);
    emit(Operation::op_ldxw, 6, 1, 0);
    emit(Operation::op_ldxw, 7, 1, 4);
    emit(Operation::op_mov64_imm, 0, 0, 0, 1);
    holds_[6] = Holds::packet;
    holds_[7] = Holds::end;
    holds_[0] = Holds::number;
    in_function_ = true;  // no calls of other functions from here
    for (unsigned i = 0; i < 3; ++i) statement(2);
    in_function_ = false;
    finish_function(true);
}

void ProgramGenerator::inner_map() {
    emit(Operation::op_stw, frame_register, 0, -4, static_cast<std::int32_t>(below(3)));
    load_map(1, chance(70) ? Map::outer : Map::outer_hash);
    load_stack(2, -4);
    call_helper(1);
    if (chance(95)) to_exit(Operation::op_jeq64_imm, 0, 0, 0);
    emit(Operation::op_mov64_reg, 1, 0);
    load_stack(2, -4);
    call_helper(1);
    if (chance(95)) to_exit(Operation::op_jeq64_imm, 0, 0, 0);
    holds_[0] = Holds::map_value;
}

void ProgramGenerator::prefix_lookup() {
    emit(Operation::op_stw, frame_register, 0, -16, static_cast<std::int32_t>(below(34)));
    emit(Operation::op_stw, frame_register, 0, -12, immediate());
    load_map(1, Map::routes);
    load_stack(2, -16);
    call_helper(chance(80) ? 1 : 3);
    if (chance(95)) to_exit(Operation::op_jeq64_imm, 0, 0, 0);
    holds_[0] = chance(90) ? Holds::map_value : Holds::nothing;
}

void ProgramGenerator::lock() {
    const auto value = static_cast<std::uint8_t>(6 + below(2));
    const auto number = any(Holds::number, 10);
    load_value(value, Map::locked);
    emit(Operation::op_mov64_reg, 1, value);
    call_helper(93);
    if (number > 5 && number != value) emit(Operation::op_stxdw, value, number, chance(95) ? 8 : 0);
    else emit(Operation::op_stdw, value, 0, chance(95) ? 8 : 2, immediate());
    if (chance(3)) to_exit(Operation::op_jeq64_reg, value, value, 0);
    emit(Operation::op_mov64_reg, 1, value);
    if (chance(97)) call_helper(94);
    holds_[value] = Holds::nothing;
}

void ProgramGenerator::reload_packet(int start, int end) {
    for (auto& what : holds_) {
        if (what == Holds::packet || what == Holds::end || what == Holds::half) what = Holds::nothing;
    }
    load_context(1);
    emit(Operation::op_ldxw, 6, 1, start);
    emit(Operation::op_ldxw, 7, 1, end);
    holds_[6] = Holds::packet;
    holds_[7] = Holds::end;
    holds_[1] = Holds::nothing;
}

void ProgramGenerator::metadata() {
    if (in_function_) return;
    load_context(1);
    emit(Operation::op_mov64_imm, 2, 0, 0, -4 * static_cast<std::int32_t>(below(5)));
    call_helper(54);
    if (chance(90)) reload_packet(8, chance(70) ? 0 : 4);
}

void ProgramGenerator::buffer() {
    for (int i = 0; i < buffer_words; ++i) emit(Operation::op_stdw, frame_register, 0, buffer_start + 8 * i, immediate());
}

// Puts what the row asks for into the register of an argument; false: this generator has nothing of the kind.
bool ProgramGenerator::argument(const abi::HelperRow& row, unsigned position, Map& map) {
    const unsigned reg = position + 1;
    const auto choose = [&](std::initializer_list<Map> from) { map = from.begin()[below(from.size())]; load_map(reg, map); };
    using A = abi::Argument;
    switch (row.arguments[position]) {
        case A::none: return true;
        case A::any:
        case A::number: emit(Operation::op_mov64_imm, reg, 0, 0, chance(60) ? 0 : immediate()); return true;
        case A::context: load_context(reg); return !in_function_;
        case A::map:
            if (row.maps == abi::holding(abi::Holds::records)) choose({Map::ring});
            else if (row.maps == abi::holding(abi::Holds::events)) choose({Map::events});
            else if (row.maps == abi::holding(abi::Holds::devices)) choose({Map::ports, Map::port_names});
            else choose({Map::hash, Map::array, Map::lru, Map::percpu, Map::inner, Map::routes, Map::percpu_hash, Map::lru_percpu});
            return true;
        case A::map_key:
            emit(Operation::op_stdw, frame_register, 0, key_start, static_cast<std::int32_t>(below(6)));
            load_stack(reg, key_start + (chance(97) ? 0 : 5));
            return true;
        case A::map_value: load_stack(reg, buffer_start); return true;
        case A::memory_read:
        case A::memory_read_or_null:
            if (chance(40)) load_value(reg, Map::data, below(8));
            else load_stack(reg, buffer_start + static_cast<int>(below(9)));
            return true;
        case A::memory_write:
        case A::memory_write_or_null: load_stack(reg, buffer_start + static_cast<int>(below(9))); return true;
        case A::size:
        case A::size_or_zero:
        case A::constant_size: {
            emit(Operation::op_mov64_imm, reg, 0, 0, static_cast<std::int32_t>(4 * below(chance(95) ? 14 : 30)) + (chance(60) ? 4 : 1));
            return true;
        }
        case A::string: load_value(reg, Map::text, chance(90) ? 0 : 3); return true;
        case A::long_write: load_stack(reg, long_start); return true;
        default: return false;
    }
}

void ProgramGenerator::any_helper() {
    const abi::HelperRow& row = abi::helpers[below(abi::helpers.size())];
    const auto number = static_cast<std::int32_t>(row.helper);
    if (row.has(abi::calls_back | abi::tail_calls | abi::releases | abi::locks | abi::unlocks) || number == 131) return;
    const bool varies = number == 5 || number == 7 || number == 118 || number == 125 || number == 160;  // such a run cannot be repeated
    if (varies && chance(80)) return;
    buffer();
    Map map = Map::hash;
    for (unsigned i = 0; i < 5; ++i) {
        if (!argument(row, i, map)) return forget_calls();
    }
    if (map == Map::routes && row.returns == abi::Return::number && number == 2) emit(Operation::op_stw, frame_register, 0, key_start, 24);
    call_helper(number);
    if (row.returns == abi::Return::map_value_or_null) {
        if (chance(93)) to_exit(Operation::op_jeq64_imm, 0, 0, 0);
        holds_[0] = Holds::map_value;
    }
    if (row.has(abi::moves_packet) && chance(90)) reload_packet(0, 4);
    if (chance(60)) {
        const auto dst = static_cast<std::uint8_t>(1 + below(5));
        emit(pick(below(4), {Operation::op_ldxdw, Operation::op_ldxsw, Operation::op_ldxh, Operation::op_ldxsb}), dst, frame_register, buffer_start + static_cast<int>(below(24)));
        holds_[dst] = Holds::number;
    }
}

// A buffer of numbers, of nothing or with an address, which the helper leaves as it is where the packet is too short.
void ProgramGenerator::failing_load() {
    if (in_function_) return;
    const int start = spill_start - 8 * static_cast<int>(below(2));
    const auto kept = chance(50) ? any(Holds::packet, readable()) : readable();
    if (chance(40)) emit(Operation::op_stdw, frame_register, 0, spill_start - 8, immediate());
    if (chance(70)) emit(chance(80) ? Operation::op_stxdw : Operation::op_stxw, frame_register, kept, spill_start - 8);
    load_context(1);
    emit(Operation::op_mov64_imm, 2, 0, 0, chance(50) ? static_cast<std::int32_t>(below(60)) : 60000);
    load_stack(3, start);
    emit(Operation::op_mov64_imm, 4, 0, 0, chance(80) ? 8 : static_cast<std::int32_t>(1 + below(16)));
    call_helper(189);
    static constexpr Operation tests[] = {Operation::op_jne64_imm, Operation::op_jne32_imm, Operation::op_jslt64_imm, Operation::op_jslt32_imm, Operation::op_jeq64_imm};
    if (chance(70)) to_exit(tests[below(chance(90) ? 4 : 5)], 0, 0, chance(95) ? 0 : immediate());
    if (chance(15)) emit(Operation::op_stxdw, frame_register, readable(), start);
    const auto dst = static_cast<std::uint8_t>(1 + below(5));
    emit(pick(below(3), {Operation::op_ldxdw, Operation::op_ldxw, Operation::op_ldxb}), dst, frame_register, start + static_cast<int>(chance(80) ? 0 : below(8)));
    holds_[dst] = Holds::number;
}

// Any comparison of any two things.
void ProgramGenerator::pointer_branch() {
    const auto left = pointer(), right = chance(60) ? pointer() : readable();
    Operation operation;
    do {
        operation = static_cast<Operation>(below(operation_count));
    } while (describe(operation).category != Category::branch);
    const auto changed = scratch();
    emit(operation, left, right, 1, chance(85) ? 0 : immediate());
    emit(Operation::op_mov64_imm, changed, 0, 0, immediate());
    if (holds_[changed] != Holds::number) holds_[changed] = Holds::nothing;
}

// Any operator on any address: most are refused, additions and differences are not.
void ProgramGenerator::pointer_alu() {
    const auto dst = static_cast<std::uint8_t>(6 + below(2));
    if (holds_[dst] == Holds::nothing || holds_[dst] == Holds::number) return;
    const auto source = readable();
    Operation operation = pick(below(4), {Operation::op_add64_reg, Operation::op_sub64_reg, Operation::op_sub32_reg, Operation::op_add64_imm});
    if (chance(25)) {
        do {
            operation = static_cast<Operation>(below(operation_count));
        } while (describe(operation).category != Category::alu && describe(operation).category != Category::move_sx && describe(operation).category != Category::endian);
    }
    const bool distance = source != frame_register && holds_[source] != Holds::number && operation != Operation::op_add64_imm;
    emit(operation, dst, source, 0, immediate());
    holds_[dst] = distance ? Holds::number : Holds::nothing;
}

}  // namespace unibpf::soundness
