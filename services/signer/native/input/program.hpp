// The program that a certificate is about, read from its bundle (schemas/bundle.cddl) by a decoder of the checker's own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"

namespace unibpf::certificate {

enum class Op : std::uint8_t {
    compute,
    move_signed,
    reorder,
    number,
    map,
    map_value,
    function,
    load,
    load_signed,
    store,
    store_number,
    atomic,
    jump,
    branch,
    helper,
    call,
    exit,
    upper_half,
};
// RFC 9669 table 4 (`compute`): the numbers are the encoding's.
enum class Alu : std::uint8_t {
    add,
    sub,
    mul,
    div,
    bit_or,
    bit_and,
    lsh,
    rsh,
    neg,
    mod,
    bit_xor,
    mov,
    arsh
};
// RFC 9669 table 6.
enum class Test : std::uint8_t {
    eq = 1,
    gt,
    ge,
    set,
    ne,
    sgt,
    sge,
    lt = 10,
    le,
    slt,
    sle
};

struct Insn {
    Op op = Op::upper_half;
    std::uint8_t dst = 0, src = 0;
    std::uint8_t width = 64;   // bits of `compute` and `branch`
    std::uint8_t bytes = 8;    // of memory, sign extension, byte order
    bool by_register = false;  // second operand of `compute` and `branch`
    Alu alu = Alu::mov;
    Test test = Test::eq;
    bool is_signed = false;    // signed division; in `reorder`: bytes change places
    std::int16_t offset = 0;
    std::int64_t imm = 0;      // of map_value: the offset; of atomic: the operation
    std::uint32_t index = 0;   // map of map and map_value
    std::uint32_t target = 0;  // of jump, branch, call, function
};

struct Map {
    const abi::MapTypeRow* type = nullptr;
    std::uint32_t key_bytes = 0, value_bytes = 0, entries = 0, flags = 0;
    std::vector<std::uint8_t> data{};
    std::vector<std::uint32_t> functions{};  // where those of a program array begin
    std::shared_ptr<Map> inner{};            // what the maps of a map of maps are
    std::optional<std::uint32_t> lock{};

    bool read_only() const { return (flags & abi::map_flag_rdonly_prog) != 0; }
    // Nobody ever changes the only value.
    bool constant() const { return read_only() && entries == 1 && data.size() == value_bytes && type->array_like(); }
};

struct Program {
    abi::Kind kind = abi::Kind::filter;
    std::vector<Insn> insns;
    std::vector<Map> maps;
    std::vector<bool> leads;               // by slot: a block begins there
    std::vector<std::uint32_t> roots;      // where runs begin: 0 and what program arrays name, ascending
    std::vector<std::uint32_t> starts;     // of functions, ascending, each once

    // Of the function that begins there, up to the next one.
    std::uint64_t length_of(std::uint32_t start) const;
    // The map whose values a look-up in map `index` leads to.
    const Map& values_of(std::size_t index) const { return maps[index].inner ? *maps[index].inner : maps[index]; }
};

Program read_program(std::span<const std::uint8_t> bundle);
// RFC 9669, every field that must be 0 included.
std::vector<Insn> decode(std::span<const std::uint8_t> code);

}  // namespace unibpf::certificate
