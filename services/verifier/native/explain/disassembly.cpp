#include "services/verifier/native/explain/disassembly.hpp"

#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

// `=` follows.
const char* sign_of(Alu op) {
    switch (op) {
        case Alu::add: return "+";
        case Alu::sub: return "-";
        case Alu::mul: return "*";
        case Alu::div: return "/";
        case Alu::sdiv: return "s/";
        case Alu::or_: return "|";
        case Alu::and_: return "&";
        case Alu::lsh: return "<<";
        case Alu::rsh: return ">>";
        case Alu::mod: return "%";
        case Alu::smod: return "s%";
        case Alu::xor_: return "^";
        case Alu::arsh: return "s>>";
        case Alu::mov:
        case Alu::neg: return "";
    }
    __builtin_unreachable();
}

const char* sign_of(Condition condition) {
    switch (condition) {
        case Condition::eq: return "==";
        case Condition::gt: return ">";
        case Condition::ge: return ">=";
        case Condition::set: return "&";
        case Condition::ne: return "!=";
        case Condition::sgt: return "s>";
        case Condition::sge: return "s>=";
        case Condition::lt: return "<";
        case Condition::le: return "<=";
        case Condition::slt: return "s<";
        case Condition::sle: return "s<=";
    }
    __builtin_unreachable();
}

const char* name_of(ByteOrder order) {
    switch (order) {
        case ByteOrder::little: return "le";
        case ByteOrder::big: return "be";
        case ByteOrder::swap: return "bswap";
    }
    __builtin_unreachable();
}

// The name of the fetching form; the plain forms are written with their sign.
const char* name_of(Atomic op) {
    switch (op) {
        case Atomic::add: return "+";
        case Atomic::or_: return "|";
        case Atomic::and_: return "&";
        case Atomic::xor_: return "^";
        case Atomic::fetch_add: return "atomic_fetch_add";
        case Atomic::fetch_or: return "atomic_fetch_or";
        case Atomic::fetch_and: return "atomic_fetch_and";
        case Atomic::fetch_xor: return "atomic_fetch_xor";
        case Atomic::xchg: return "xchg";
        case Atomic::cmpxchg: return "cmpxchg";
    }
    __builtin_unreachable();
}

std::string reg(Register number, unsigned width = 64) { return (width == 64 ? "r" : "w") + std::to_string(number); }

std::string text_of(const Operand& operand, unsigned width) {
    return operand.is_register ? reg(operand.reg, width) : std::to_string(operand.imm);
}

std::string place(Register base, std::int16_t offset) {
    return "(" + reg(base) + (offset < 0 ? " - " : " + ") + std::to_string(offset < 0 ? -int{offset} : int{offset}) + ")";
}

std::string memory(Register base, std::int16_t offset, unsigned bytes, bool sign = false) {
    return std::string{"*("} + (sign ? "s" : "u") + std::to_string(8 * bytes) + " *)" + place(base, offset);
}

struct Printer {
    const Program& program;

    std::string map(std::uint32_t index) const { return index < program.maps.size() ? program.maps[index].name : std::to_string(index); }

    std::string operator()(const Compute& i) const {
        const std::string dst = reg(i.dst, i.width);
        if (i.op == Alu::neg) return dst + " = -" + dst;
        return dst + " " + sign_of(i.op) + "= " + text_of(i.src, i.width);
    }
    std::string operator()(const MoveSigned& i) const {
        return reg(i.dst, i.width) + " = (s" + std::to_string(8 * i.bytes) + ")" + reg(i.src, i.width);
    }
    std::string operator()(const Swap& i) const { return reg(i.dst) + " = " + name_of(i.order) + std::to_string(8 * i.bytes) + " " + reg(i.dst); }
    std::string operator()(const LoadNumber& i) const { return reg(i.dst) + " = " + std::to_string(i.value) + " ll"; }
    std::string operator()(const LoadMap& i) const { return reg(i.dst) + " = map " + map(i.map); }
    std::string operator()(const LoadMapValue& i) const { return reg(i.dst) + " = value of map " + map(i.map) + " + " + std::to_string(i.offset); }
    std::string operator()(const LoadFunction& i) const { return reg(i.dst) + " = function at " + std::to_string(i.target); }
    std::string operator()(const Load& i) const { return reg(i.dst) + " = " + memory(i.base, i.offset, i.bytes, i.sign); }
    std::string operator()(const Store& i) const { return memory(i.base, i.offset, i.bytes) + " = " + text_of(i.src, 64); }
    std::string operator()(const AtomicUpdate& i) const {
        const std::string at = memory(i.base, i.offset, i.bytes), name = name_of(i.op);
        if (i.op < Atomic::fetch_add) return "lock " + at + " " + name + "= " + reg(i.src);
        const bool compares = i.op == Atomic::cmpxchg;
        return reg(compares ? Register{0} : i.src) + " = " + name + "(" + at + ", " + (compares ? "r0, " : "") + reg(i.src) + ")";
    }
    std::string operator()(const Jump& i) const { return "goto " + std::to_string(i.target); }
    std::string operator()(const Branch& i) const {
        return "if " + reg(i.left, i.width) + " " + sign_of(i.condition) + " " + text_of(i.right, i.width) + " goto " + std::to_string(i.target);
    }
    std::string operator()(const CallHelper& i) const {
        const abi::HelperRow* row = tables_of(Platform::linux_xdp).find_helper(i.number);  // names are Linux' everywhere
        return "call " + (row == nullptr ? "helper " + std::to_string(i.number) : std::string{row->name});
    }
    std::string operator()(const CallLocal& i) const { return "call " + std::to_string(i.target); }
    std::string operator()(const Exit&) const { return "exit"; }
    std::string operator()(const SecondSlot&) const { return ""; }
};

}  // namespace

std::string disassemble(const Insn& insn, const Program& program) { return std::visit(Printer{program}, insn); }

}  // namespace unibpf::analyser
