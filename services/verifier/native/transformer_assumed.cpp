// Instructions whose assertions the checker could not show, in passes that are not the last (fixpoint.hpp).
#include "services/verifier/native/transformer.hpp"

namespace unibpf::analyser {
namespace {

// Results become `mixed`, which every later use refuses; a store may have gone anywhere in any frame.
struct Assumed {
    State& state;
    const Options& options;

    bool result(Register reg) {
        if (reg == frame_register) return false;
        state.registers[reg] = {Kind::mixed};
        return true;
    }
    bool store(Register base) {
        const Kind kind = state.registers[base].kind;
        if (kind != Kind::stack && kind != Kind::mixed) return true;
        for (Frame& frame : state.frames) {
            frame.cells().clear();
            frame.data().reset();
        }
        return true;
    }

    bool operator()(const Compute& insn) { return result(insn.dst); }
    bool operator()(const MoveSigned& insn) { return result(insn.dst); }
    bool operator()(const Swap& insn) { return result(insn.dst); }
    bool operator()(const LoadNumber& insn) { return result(insn.dst); }
    bool operator()(const LoadMap& insn) { return result(insn.dst); }
    bool operator()(const LoadMapValue& insn) { return result(insn.dst); }
    bool operator()(const LoadFunction& insn) { return result(insn.dst); }
    bool operator()(const Load& insn) { return result(insn.dst); }
    bool operator()(const Store& insn) { return store(insn.base); }
    bool operator()(const AtomicUpdate& insn) {
        if (insn.op == Atomic::cmpxchg) result(0);
        else if (insn.op >= Atomic::fetch_add && !result(insn.src)) return false;
        return store(insn.base);
    }
    bool operator()(const CallHelper& insn) {
        const abi::HelperRow* row = abi::find_helper(insn.number);
        if (row == nullptr) return false;
        if (row->has(abi::moves_packet)) state.forget_packet(options.platform);
        for (Register i = 1; i <= 5; ++i) state.registers[i] = {};
        return result(0);
    }
    bool operator()(const Branch&) { return true; }
    bool operator()(const Exit&) { return false; }
    bool operator()(const Jump&) { return true; }
    bool operator()(const CallLocal&) { return true; }
    bool operator()(const SecondSlot&) { return true; }
};

}  // namespace

bool apply_assumed(State& state, const Insn& insn, const Options& options) { return std::visit(Assumed{state, options}, insn); }

}  // namespace unibpf::analyser
