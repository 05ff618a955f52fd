// Branches and calls.
#include "services/verifier/native/effects/transformer.hpp"

namespace unibpf::analyser {
namespace {

bool is_zero(const Value& value) { return value.is_constant() && value.delta == 0; }

// Is all of the address compared, not only its low half, which may be 0 where the address is not?
bool is_whole(const State& state, const Branch& branch, const Value& pointer, Platform platform) {
    return !pointer.is_half() && (branch.width == 64 || state.is_short_address(pointer, platform));
}

// A pointer against null: only equality gets here. One that may have been moved anywhere may have been moved to 0.
bool follow_null(State& state, const Value& pointer, bool is_null) {
    if (!pointer.may_be_null()) return !is_null || !state.is_never_zero(pointer);
    state.assume_null(pointer.nullable, is_null);
    return true;
}

// Two pointers into the packet compare as their offsets do, as long as no address wraps.
bool follow_pointers(State& state, const Branch& branch, bool taken, const Value& left, const Value& right, Platform platform) {
    const bool whole = branch.width == 64 || (state.is_short_address(left, platform) && state.is_short_address(right, platform));
    const bool has_offset = left.kind == Kind::stack || left.is_packet_address();
    const bool comparable = whole && left.kind == right.kind && left.object == right.object && has_offset;
    const auto a = left.offset(), b = right.offset();
    if (!comparable || !a || !b) return true;
    if (!state.is_never_zero(left) || !state.is_never_zero(right)) return true;
    // Offsets may be negative where addresses are not: compare them as signed numbers.
    Condition condition = branch.condition;
    switch (condition) {
        case Condition::gt: condition = Condition::sgt; break;
        case Condition::ge: condition = Condition::sge; break;
        case Condition::lt: condition = Condition::slt; break;
        case Condition::le: condition = Condition::sle; break;
        case Condition::eq:
        case Condition::ne: break;
        case Condition::set:
        case Condition::sgt:
        case Condition::sge:
        case Condition::slt:
        case Condition::sle: return true;
    }
    return state.assume(condition, 64, taken, *a, *b);
}

}  // namespace

bool follow(State& state, const Branch& branch, bool taken, const Options& options) {
    const Value left = state.registers[branch.left];
    const Value right = branch.right.is_register ? state.registers[branch.right.reg] : Value::constant(static_cast<std::uint64_t>(branch.right.imm));
    const auto a = left.as_number(), b = right.as_number();
    if (a && b) return state.assume(branch.condition, branch.width, taken, *a, *b);
    if (is_zero(left) || is_zero(right)) {
        const Value& pointer = is_zero(left) ? right : left;
        if (!is_whole(state, branch, pointer, options.platform)) return true;
        return follow_null(state, pointer, (branch.condition == Condition::eq) == taken);
    }
    return follow_pointers(state, branch, taken, left, right, options.platform);
}

void enter_call(State& state) {
    auto& saved = state.saved.emplace_back();
    for (unsigned i = 0; i < saved.size(); ++i) {
        saved[i] = state.registers[6 + i];
        state.registers[6 + i] = {};
    }
    state.registers[0] = {};
    state.registers[10] = Value::pointer(Kind::stack, state.frames.size());
    state.frames.emplace_back();
}

void leave_call(State& state) {
    state.frames.pop_back();
    state.forget_frame(state.frames.size());
    for (unsigned i = 0; i < state.saved.back().size(); ++i) state.registers[6 + i] = state.saved.back()[i];
    state.saved.pop_back();
    for (unsigned i = 1; i <= 5; ++i) state.registers[i] = {};
    state.registers[10] = Value::pointer(Kind::stack, state.frames.size() - 1);
}

}  // namespace unibpf::analyser
