#include "services/verifier/native/checks/assertions.hpp"

namespace unibpf::analyser {
namespace {

struct Collector {
    const Where& where;
    Assertions out{};

    void destination(Register reg) { out.add(NotFramePointer{reg}); }
    void readable(const Operand& operand) {
        if (operand.is_register) out.add(Initialised{operand.reg});
    }

    void operator()(const Compute& insn) {
        readable(insn.src);
        if (insn.op != Alu::mov) out.add(Initialised{insn.dst});
        destination(insn.dst);
        out.add(Computable{insn});
    }
    void operator()(const MoveSigned& insn) {
        out.add(Initialised{insn.src});
        out.add(HoldsNumber{insn.src});
        destination(insn.dst);
    }
    void operator()(const Swap& insn) {
        out.add(Initialised{insn.dst});
        out.add(HoldsNumber{insn.dst});
        destination(insn.dst);
    }
    void operator()(const LoadNumber& insn) { destination(insn.dst); }
    void operator()(const LoadMap& insn) {
        destination(insn.dst);
        out.add(NamesMap{insn.map, false, 0});
    }
    void operator()(const LoadMapValue& insn) {
        destination(insn.dst);
        out.add(NamesMap{insn.map, true, insn.offset});
    }
    void operator()(const LoadFunction& insn) {
        destination(insn.dst);
    }
    void operator()(const Load& insn) {
        out.add(Initialised{insn.base});
        destination(insn.dst);
        out.add(Accessible{insn.base, insn.offset, insn.bytes, Direction::read, insn.sign});
    }
    void operator()(const Store& insn) {
        out.add(Initialised{insn.base});
        readable(insn.src);
        out.add(Accessible{insn.base, insn.offset, insn.bytes, Direction::write});
        if (insn.src.is_register) out.add(Storable{insn.base, insn.bytes, insn.src.reg});
    }
    void operator()(const AtomicUpdate& insn) {
        out.add(Initialised{insn.base});
        out.add(Initialised{insn.src});
        out.add(HoldsNumber{insn.src});
        if (insn.op == Atomic::cmpxchg) {
            out.add(Initialised{0});
            out.add(HoldsNumber{0});
        } else if (insn.op >= Atomic::fetch_add) {
            destination(insn.src);
        }
        out.add(Accessible{insn.base, insn.offset, insn.bytes, Direction::update});
    }
    void operator()(const Jump&) {}
    void operator()(const Branch& insn) {
        out.add(Initialised{insn.left});
        readable(insn.right);
        out.add(Comparable{insn});
    }
    void operator()(const CallHelper& insn) {
        out.add(Callable{insn.number});
        const abi::HelperRow* row = where.tables.find_helper(insn.number);
        if (row == nullptr) return;
        if (!row->has(abi::unlocks)) out.add(Unlocked{"a call"});
        for (std::uint8_t i = 0; i < row->arguments.size(); ++i) {
            if (row->arguments[i] != abi::Argument::none) out.add(Argument{row, i});
            if (row->arguments[i] == abi::Argument::function) out.add(CallsBack{static_cast<Register>(i + 1), where.callee});
        }
        if (row->returns == abi::Return::record_or_null || row->returns == abi::Return::socket_or_null) out.add(FreeSite{where.site});
        if (!row->has(abi::tail_calls)) return;
        out.add(OutsideCallback{!where.in_callback});
        out.add(NothingHeld{"the program may go on in another function"});
    }
    void operator()(const CallLocal&) { out.add(Unlocked{"a call"}); }
    void operator()(const Exit&) {
        if (where.role == Role::subprogram) return;
        out.add(Initialised{0});
        out.add(ReturnsNumber{where.role});
        if (where.role != Role::entry) return;
        out.add(Unlocked{"the exit"});
        out.add(NothingHeld{"the program ends here"});
    }
    void operator()(const SecondSlot&) {}
};

}  // namespace

Assertions required(const Insn& insn, const Where& where) {
    Collector collector{where};
    std::visit(collector, insn);
    return collector.out;
}

}  // namespace unibpf::analyser
