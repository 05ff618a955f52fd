#include "services/verifier/native/assertions.hpp"

namespace unibpf::analyser {
namespace {

struct Collector {
    bool outermost;
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
        out.add(Supported{false});
    }
    void operator()(const Load& insn) {
        out.add(Initialised{insn.base});
        destination(insn.dst);
        out.add(Accessible{insn.base, insn.offset, insn.bytes, Direction::read});
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
        const abi::HelperRow* row = abi::find_helper(insn.number);
        if (row == nullptr) return;
        for (std::uint8_t i = 0; i < row->arguments.size(); ++i) {
            if (row->arguments[i] != abi::Argument::none) out.add(Argument{insn.number, i});
        }
    }
    void operator()(const CallLocal&) {}
    void operator()(const Exit&) {
        if (!outermost) return;
        out.add(Initialised{0});
        out.add(ReturnsNumber{});
    }
    void operator()(const SecondSlot&) {}
};

}  // namespace

Assertions required(const Insn& insn, bool outermost) {
    Collector collector{outermost};
    std::visit(collector, insn);
    return collector.out;
}

}  // namespace unibpf::analyser
