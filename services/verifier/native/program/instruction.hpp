// One instruction as the analyser sees it: a closed variant, made from RFC 9669 slots by the opcode table shared with the guest.
//
// Targets are absolute slot numbers and already checked to be inside the program and not inside a 64-bit load. `imm` is
// sign-extended as RFC 9669 4 and 5 say. A visitor lists every alternative: there is no default arm anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "guest/bpf/bundle/isa.hpp"

namespace unibpf::analyser {

using Register = std::uint8_t;

struct Operand {
    bool is_register = false;
    Register reg = 0;
    std::int64_t imm = 0;
};

struct Compute {
    Alu op;
    std::uint8_t width;
    Register dst;
    Operand src;
};
struct MoveSigned {
    std::uint8_t width;
    std::uint8_t bytes;
    Register dst;
    Register src;
};
struct Swap {
    ByteOrder order;
    std::uint8_t bytes;
    Register dst;
};
struct LoadNumber {
    Register dst;
    std::uint64_t value;
};
struct LoadMap {
    Register dst;
    std::uint32_t map;
};
struct LoadMapValue {
    Register dst;
    std::uint32_t map;
    std::uint32_t offset;
};
struct LoadFunction {
    Register dst;
    std::uint32_t target;
};
struct Load {
    Register dst;
    Register base;
    std::int16_t offset;
    std::uint8_t bytes;
    bool sign;
};
struct Store {
    Register base;
    std::int16_t offset;
    std::uint8_t bytes;
    Operand src;
};
struct AtomicUpdate {
    Atomic op;
    Register base;
    std::int16_t offset;
    std::uint8_t bytes;
    Register src;
};
struct Jump {
    std::uint32_t target;
};
struct Branch {
    Condition condition;
    std::uint8_t width;
    Register left;
    Operand right;
    std::uint32_t target;
};
struct CallHelper {
    std::uint32_t number;
};
struct CallLocal {
    std::uint32_t target;
};
struct Exit {};
struct SecondSlot {};  // upper half of a 64-bit load: never executed

using Insn = std::variant<Compute, MoveSigned, Swap, LoadNumber, LoadMap, LoadMapValue, LoadFunction, Load, Store, AtomicUpdate,
                          Jump, Branch, CallHelper, CallLocal, Exit, SecondSlot>;

// Visitor from lambdas.
template <typename... Arms>
struct Overloaded : Arms... {
    using Arms::operator()...;
};

struct DecodeFault {
    std::size_t instruction;
    std::string message;
};

// Fills `out` with one Insn for each slot, or says which slot is wrong.
std::optional<DecodeFault> decode(std::span<const Instruction> slots, std::vector<Insn>& out);

}  // namespace unibpf::analyser
