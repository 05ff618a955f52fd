// Instructions whose assertions the checker could not show, in passes that are not the last (fixpoint.hpp).
#include "services/verifier/native/effects/transformer.hpp"

#include <algorithm>

#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

// Results become `mixed`, which every later use refuses; a store may have gone anywhere in any frame. What a state does not know
// an execution may: a register that was never written on some path may hold anything, a result that is an address on some path is
// a number on others. So no execution ends here but those of which the instruction alone says that its assertions never hold.
struct Assumed {
    State& state;
    const Setting& setting;

    bool result(Register reg) {
        if (reg == frame_register) return false;
        state.registers[reg] = {Kind::mixed};
        return true;
    }
    bool store(Register base) {
        const Kind kind = state.registers[base].kind;
        const bool may_be_stack = kind == Kind::stack || kind == Kind::mixed || kind == Kind::uninitialised;
        return !may_be_stack || forget_frames();
    }
    bool forget_frames() {
        for (Frame& frame : state.frames) {
            frame.cells().clear();
            frame.data().reset();
        }
        state.attempts.clear();
        return true;
    }

    bool operator()(const Compute& insn) { return result(insn.dst); }
    bool operator()(const MoveSigned& insn) { return result(insn.dst); }
    bool operator()(const Swap& insn) { return result(insn.dst); }
    bool operator()(const LoadNumber& insn) { return result(insn.dst); }
    bool operator()(const LoadMap& insn) { return result(insn.dst); }
    bool operator()(const LoadMapValue& insn) { return result(insn.dst); }
    bool operator()(const LoadFunction& insn) { return result(insn.dst); }
    // Only from the stack and the context an address can come.
    bool operator()(const Load& insn) {
        const Kind kind = state.registers[insn.base].kind;
        if (insn.dst == frame_register || (kind != Kind::packet && kind != Kind::map_value)) return result(insn.dst);
        state.registers[insn.dst] = state.number(of_bytes(insn.bytes, insn.sign));
        return true;
    }
    bool operator()(const Store& insn) { return store(insn.base); }
    bool operator()(const AtomicUpdate& insn) {
        if (insn.op == Atomic::cmpxchg) result(0);
        else if (insn.op >= Atomic::fetch_add && !result(insn.src)) return false;
        return store(insn.base);
    }
    bool operator()(const CallHelper& insn) {
        const abi::HelperRow* row = tables_of(setting.options.platform).find_helper(insn.number);
        if (row == nullptr) return false;
        if (std::any_of(row->arguments.begin(), row->arguments.end(), writes)) forget_frames();
        const bool acquires = row->returns == abi::Return::record_or_null || row->returns == abi::Return::socket_or_null;
        const Value given = acquires ? acquired(state, *row, setting) : returned(row->returns);
        apply_effects(state, *row, setting);
        for (Register i = 1; i <= 5; ++i) state.registers[i] = {};
        state.registers[0] = given;
        return true;
    }
    Value returned(abi::Return what) {
        if (what == abi::Return::number) return state.number(Scalar::top());
        return what == abi::Return::nothing ? Value{} : Value{Kind::mixed};
    }
    static bool writes(abi::Argument argument) {
        switch (argument) {
            case abi::Argument::map_value_write:
            case abi::Argument::memory_write:
            case abi::Argument::memory_write_or_null:
            case abi::Argument::memory_update:
            case abi::Argument::long_write:
            case abi::Argument::u32_update: return true;
            default: return false;
        }
    }
    bool operator()(const Branch&) { return true; }
    bool operator()(const Exit&) { return true; }
    bool operator()(const Jump&) { return true; }
    bool operator()(const CallLocal&) { return true; }
    bool operator()(const SecondSlot&) { return true; }
};

}  // namespace

bool apply_assumed(State& state, const Insn& insn, const Setting& setting) { return std::visit(Assumed{state, setting}, insn); }

}  // namespace unibpf::analyser
