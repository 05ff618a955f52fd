// The eBPF instruction set, RFC 9669, as one table: a row says what an encoding means and which fields it may use.
//
// Decoder, validator, interpreter, analyser, conformance tests and docs read this table and nothing else; none of them picks
// an opcode byte apart. A row is found by the opcode byte and by the fields that select among rows with the same byte
// (RFC 9669 2: unused fields are zero). An encoding that no row accepts does not exist.
// Conformance groups: base32 base64 divmul32 divmul64 atomic32 atomic64. The deprecated `packet` group (RFC 9669 2.4) and the
// 64-bit immediates with src_reg 1..3 (5.4) have no row: bundles name maps by src_reg 5 and 6 only (schemas/bundle.cddl).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unibpf {

// One 64-bit slot as it lies in memory, little endian (RFC 9669 3).
struct Instruction {
    std::uint8_t opcode;
    std::uint8_t dst : 4;
    std::uint8_t src : 4;
    std::int16_t offset;
    std::int32_t imm;
};
static_assert(sizeof(Instruction) == 8);

inline constexpr unsigned register_count = 11;
inline constexpr unsigned frame_register = 10;  // read-only

// What kind of thing a row does; the fields of Opcode that matter follow from it.
enum class Category : std::uint8_t {
    alu,         // dst = dst `alu` (src or imm), width 32 or 64
    move_sx,     // dst = sign-extended low `bytes` of src, width 32 or 64
    endian,      // dst = byte-ordered low `bytes` of dst; `alu` unused, `order` says how
    load_imm64,  // dst = 64-bit immediate, map handle, map value address or function (at pc + 1 + imm); two slots
    load,        // dst = zero-extended memory[src + offset]
    load_sx,     // dst = sign-extended memory[src + offset]
    store_imm,   // memory[dst + offset] = imm
    store,       // memory[dst + offset] = src
    atomic,      // memory[dst + offset] `atomic`= src
    jump,        // pc += offset (or imm for gotol)
    branch,      // if (dst `condition` src-or-imm) pc += offset, width 32 or 64
    call_helper, // r0 = helper[imm](r1..r5)
    call_local,  // call the subprogram at pc + 1 + imm
    exit,
};

enum class Alu : std::uint8_t {
    add,
    sub,
    mul,
    div,
    sdiv,
    or_,
    and_,
    lsh,
    rsh,
    neg,
    mod,
    smod,
    xor_,
    mov,
    arsh
};
enum class Condition : std::uint8_t {
    eq,
    gt,
    ge,
    set,
    ne,
    sgt,
    sge,
    lt,
    le,
    slt,
    sle
};
enum class ByteOrder : std::uint8_t {
    little,
    big,
    swap
};
enum class Atomic : std::uint8_t {
    add,
    or_,
    and_,
    xor_,
    fetch_add,
    fetch_or,
    fetch_and,
    fetch_xor,
    xchg,
    cmpxchg
};
enum class Immediate64 : std::uint8_t {
    number,
    map,
    map_value,
    function
};
enum class Group : std::uint8_t {
    base32,
    base64,
    divmul32,
    divmul64,
    atomic32,
    atomic64
};

// What a row asks of one field: `fixed` to a value (zero where RFC 9669 says unused) or free.
struct FieldRule {
    bool free = false;
    std::int16_t value = 0;
    constexpr bool accepts(std::int32_t got) const { return free || got == value; }
};
inline constexpr FieldRule any_value{true, 0};
constexpr FieldRule only(int value) { return {false, static_cast<std::int16_t>(value)}; }

struct Opcode {
    std::uint8_t opcode = 0;
    Category category = Category::exit;
    Group group = Group::base64;
    std::uint8_t width = 64;      // bits computed or compared; atomics: bits of the memory operand
    std::uint8_t bytes = 0;       // memory access, sign extension or byte-order size
    bool src_operand = false;     // second operand is register src, else imm
    Alu alu = Alu::mov;
    Condition condition = Condition::eq;
    ByteOrder order = ByteOrder::little;
    Atomic atomic = Atomic::add;
    Immediate64 immediate = Immediate64::number;
    FieldRule dst{}, src{}, offset{}, imm{};

    constexpr bool accepts(const Instruction& in) const {
        return in.opcode == opcode && dst.accepts(in.dst) && src.accepts(in.src) && offset.accepts(in.offset) && imm.accepts(in.imm);
    }
    // Registers 0..9 may be destinations; stores and atomics use dst as an address, which may be r10.
    constexpr bool writes_dst() const {
        return category <= Category::load_sx;
    }
};

// Row builders, one for each shape of RFC 9669 4 and 5. Class numbers (table 2): LD 0, LDX 1, ST 2, STX 3, ALU 4, JMP 5, JMP32 6, ALU64 7.
namespace rows {

inline constexpr std::uint8_t source_register = 0x08;

constexpr std::uint8_t byte_of(unsigned code, unsigned source, unsigned klass) {
    return static_cast<std::uint8_t>(code << 4 | source | klass);
}
constexpr unsigned alu_class(unsigned width) { return width == 64 ? 7 : 4; }
constexpr Group base(unsigned width) { return width == 64 ? Group::base64 : Group::base32; }

// `offset` 1 selects the signed form of division and modulo (RFC 9669 4.1).
constexpr Opcode alu(Alu operation, unsigned code, unsigned width, bool reg, int offset = 0) {
    Opcode row{.opcode = byte_of(code, reg ? source_register : 0, alu_class(width)), .category = Category::alu};
    const bool divmul = code == 2 || code == 3 || code == 9;
    row.group = divmul ? (width == 64 ? Group::divmul64 : Group::divmul32) : base(width);
    row.width = static_cast<std::uint8_t>(width);
    row.src_operand = reg;
    row.alu = operation;
    row.dst = any_value;
    row.src = reg ? any_value : only(0);
    row.offset = only(offset);
    row.imm = reg || operation == Alu::neg ? only(0) : any_value;
    return row;
}
constexpr Opcode move_sx(unsigned width, unsigned bits) {
    Opcode row = alu(Alu::mov, 0xb, width, true, static_cast<int>(bits));
    row.category = Category::move_sx;
    row.bytes = static_cast<std::uint8_t>(bits / 8);
    return row;
}
// RFC 9669 4.2: class ALU with the source bit as byte order, class ALU64 swaps always; imm is the size.
constexpr Opcode endian(ByteOrder order, unsigned bits) {
    const unsigned klass = order == ByteOrder::swap ? 7 : 4;
    Opcode row{.opcode = byte_of(0xd, order == ByteOrder::big ? source_register : 0, klass), .category = Category::endian};
    row.group = bits == 64 || order == ByteOrder::swap ? Group::base64 : Group::base32;
    row.bytes = static_cast<std::uint8_t>(bits / 8);
    row.order = order;
    row.dst = any_value;
    row.imm = only(static_cast<int>(bits));
    return row;
}
constexpr Opcode load_imm64(Immediate64 kind, int src) {
    Opcode row{.opcode = 0x18, .category = Category::load_imm64};
    row.immediate = kind;
    row.dst = any_value;
    row.src = only(src);
    row.imm = any_value;
    return row;
}
// RFC 9669 5.1: mode MEM 0x60, MEMSX 0x80; size W 0x00, H 0x08, B 0x10, DW 0x18.
constexpr std::uint8_t size_bits(unsigned bytes) {
    return bytes == 4   ? 0x00
           : bytes == 2 ? 0x08
           : bytes == 1 ? 0x10
                        : 0x18;
}
constexpr Opcode memory(Category category, unsigned bytes) {
    const unsigned mode = category == Category::load_sx ? 0x80 : 0x60;
    const unsigned klass = category == Category::store       ? 3
                           : category == Category::store_imm ? 2
                                                             : 1;
    Opcode row{.opcode = static_cast<std::uint8_t>(mode | size_bits(bytes) | klass), .category = category};
    row.group = bytes == 8 || category == Category::load_sx ? Group::base64 : Group::base32;
    row.bytes = static_cast<std::uint8_t>(bytes);
    row.src_operand = category != Category::store_imm;
    row.dst = any_value;
    row.src = row.src_operand ? any_value : only(0);
    row.offset = any_value;
    row.imm = row.src_operand ? only(0) : any_value;
    return row;
}
// RFC 9669 5.3: mode ATOMIC 0xc0; the operation is in imm.
constexpr Opcode atomic(Atomic operation, int imm, unsigned bytes) {
    Opcode row{.opcode = static_cast<std::uint8_t>(0xc0 | size_bits(bytes) | 3), .category = Category::atomic};
    row.group = bytes == 8 ? Group::atomic64 : Group::atomic32;
    row.width = static_cast<std::uint8_t>(bytes * 8);
    row.bytes = static_cast<std::uint8_t>(bytes);
    row.src_operand = true;
    row.atomic = operation;
    row.dst = any_value;
    row.src = any_value;
    row.offset = any_value;
    row.imm = only(imm);
    return row;
}
constexpr Opcode branch(Condition condition, unsigned code, unsigned width, bool reg) {
    Opcode row{.opcode = byte_of(code, reg ? source_register : 0, width == 64 ? 5 : 6), .category = Category::branch};
    row.group = base(width);
    row.width = static_cast<std::uint8_t>(width);
    row.src_operand = reg;
    row.condition = condition;
    row.dst = any_value;
    row.src = reg ? any_value : only(0);
    row.offset = any_value;
    row.imm = reg ? only(0) : any_value;
    return row;
}
constexpr Opcode control(Category category, std::uint8_t opcode, FieldRule src, FieldRule offset, FieldRule imm) {
    Opcode row{.opcode = opcode, .category = category};
    row.group = opcode == 0x06 || category != Category::jump ? Group::base32 : Group::base64;
    row.src = src;
    row.offset = offset;
    row.imm = imm;
    return row;
}

}  // namespace rows

// The table. X(name, builder, arguments of the builder); a family macro names the rows of one operation.
// clang-format off
#define UNIBPF_ALU_FAMILY(X, op, Enum, code, offset)                                                            \
    X(op##64_imm, alu, Alu::Enum, code, 64, false, offset) X(op##64_reg, alu, Alu::Enum, code, 64, true, offset) \
    X(op##32_imm, alu, Alu::Enum, code, 32, false, offset) X(op##32_reg, alu, Alu::Enum, code, 32, true, offset)
#define UNIBPF_BRANCH_FAMILY(X, op, Enum, code)                                                                        \
    X(op##64_imm, branch, Condition::Enum, code, 64, false) X(op##64_reg, branch, Condition::Enum, code, 64, true) \
    X(op##32_imm, branch, Condition::Enum, code, 32, false) X(op##32_reg, branch, Condition::Enum, code, 32, true)
#define UNIBPF_ATOMIC_FAMILY(X, op, Enum, imm) \
    X(atomic_##op##32, atomic, Atomic::Enum, imm, 4) X(atomic_##op##64, atomic, Atomic::Enum, imm, 8)

// name, Alu member, code (RFC 9669 table 4), offset
#define UNIBPF_ALU_OPERATIONS(F, X)                                                                                \
    F(X, add, add, 0x0, 0) F(X, sub, sub, 0x1, 0) F(X, mul, mul, 0x2, 0) F(X, div, div, 0x3, 0) F(X, sdiv, sdiv, 0x3, 1) \
    F(X, or, or_, 0x4, 0) F(X, and, and_, 0x5, 0) F(X, lsh, lsh, 0x6, 0) F(X, rsh, rsh, 0x7, 0)                     \
    F(X, mod, mod, 0x9, 0) F(X, smod, smod, 0x9, 1) F(X, xor, xor_, 0xa, 0) F(X, mov, mov, 0xb, 0) F(X, arsh, arsh, 0xc, 0)
// name, Condition member, code (RFC 9669 table 6)
#define UNIBPF_BRANCH_OPERATIONS(F, X)                                                                     \
    F(X, jeq, eq, 0x1) F(X, jgt, gt, 0x2) F(X, jge, ge, 0x3) F(X, jset, set, 0x4) F(X, jne, ne, 0x5)       \
    F(X, jsgt, sgt, 0x6) F(X, jsge, sge, 0x7) F(X, jlt, lt, 0xa) F(X, jle, le, 0xb) F(X, jslt, slt, 0xc) F(X, jsle, sle, 0xd)
// name, Atomic member, imm (RFC 9669 tables 11 and 12)
#define UNIBPF_ATOMIC_OPERATIONS(F, X)                                                                                  \
    F(X, add, add, 0x00) F(X, or, or_, 0x40) F(X, and, and_, 0x50) F(X, xor, xor_, 0xa0)                                \
    F(X, fetch_add, fetch_add, 0x01) F(X, fetch_or, fetch_or, 0x41) F(X, fetch_and, fetch_and, 0x51)                    \
    F(X, fetch_xor, fetch_xor, 0xa1) F(X, xchg, xchg, 0xe1) F(X, cmpxchg, cmpxchg, 0xf1)

#define UNIBPF_OPCODES(X)                                                                                        \
    UNIBPF_ALU_OPERATIONS(UNIBPF_ALU_FAMILY, X)                                                                  \
    X(neg64, alu, Alu::neg, 0x8, 64, false, 0) X(neg32, alu, Alu::neg, 0x8, 32, false, 0)                        \
    X(movsx8_64, move_sx, 64, 8) X(movsx16_64, move_sx, 64, 16) X(movsx32_64, move_sx, 64, 32)                   \
    X(movsx8_32, move_sx, 32, 8) X(movsx16_32, move_sx, 32, 16)                                                  \
    X(le16, endian, ByteOrder::little, 16) X(le32, endian, ByteOrder::little, 32) X(le64, endian, ByteOrder::little, 64) \
    X(be16, endian, ByteOrder::big, 16) X(be32, endian, ByteOrder::big, 32) X(be64, endian, ByteOrder::big, 64)  \
    X(bswap16, endian, ByteOrder::swap, 16) X(bswap32, endian, ByteOrder::swap, 32) X(bswap64, endian, ByteOrder::swap, 64) \
    X(lddw, load_imm64, Immediate64::number, 0) X(lddw_map, load_imm64, Immediate64::map, 5)                     \
    X(lddw_map_value, load_imm64, Immediate64::map_value, 6) X(lddw_function, load_imm64, Immediate64::function, 4) \
    X(ldxb, memory, Category::load, 1) X(ldxh, memory, Category::load, 2)                                        \
    X(ldxw, memory, Category::load, 4) X(ldxdw, memory, Category::load, 8)                                       \
    X(ldxsb, memory, Category::load_sx, 1) X(ldxsh, memory, Category::load_sx, 2) X(ldxsw, memory, Category::load_sx, 4) \
    X(stb, memory, Category::store_imm, 1) X(sth, memory, Category::store_imm, 2)                                \
    X(stw, memory, Category::store_imm, 4) X(stdw, memory, Category::store_imm, 8)                               \
    X(stxb, memory, Category::store, 1) X(stxh, memory, Category::store, 2)                                      \
    X(stxw, memory, Category::store, 4) X(stxdw, memory, Category::store, 8)                                     \
    UNIBPF_ATOMIC_OPERATIONS(UNIBPF_ATOMIC_FAMILY, X)                                                            \
    X(ja, control, Category::jump, 0x05, only(0), any_value, only(0))                                            \
    X(gotol, control, Category::jump, 0x06, only(0), only(0), any_value)                                         \
    UNIBPF_BRANCH_OPERATIONS(UNIBPF_BRANCH_FAMILY, X)                                                            \
    X(call_helper, control, Category::call_helper, 0x85, only(0), only(0), any_value)                            \
    X(call_local, control, Category::call_local, 0x85, only(1), only(0), any_value)                              \
    X(exit, control, Category::exit, 0x95, only(0), only(0), only(0))
// clang-format on

enum class Operation : std::uint8_t {
#define UNIBPF_ENUM(name, ...) op_##name,
    UNIBPF_OPCODES(UNIBPF_ENUM)
#undef UNIBPF_ENUM
        count
};
inline constexpr std::size_t operation_count = static_cast<std::size_t>(Operation::count);

inline constexpr std::array<Opcode, operation_count> opcodes = {{
#define UNIBPF_ROW(name, builder, ...) rows::builder(__VA_ARGS__),
    UNIBPF_OPCODES(UNIBPF_ROW)
#undef UNIBPF_ROW
}};

// Apart from the rows, so that a guest image does not carry them.
inline constexpr std::array<std::string_view, operation_count> operation_names = {{
#define UNIBPF_NAME(name, ...) #name,
    UNIBPF_OPCODES(UNIBPF_NAME)
#undef UNIBPF_NAME
}};

constexpr const Opcode& describe(Operation operation) { return opcodes[static_cast<std::size_t>(operation)]; }

namespace detail {
// First row and number of rows for each opcode byte would need sorted rows; a byte -> first row index plus a "next row with
// the same byte" chain needs no order. 0xff ends a chain; there are fewer than 255 rows.
struct OpcodeIndex {
    std::array<std::uint8_t, 256> first{};
    std::array<std::uint8_t, operation_count> next{};
};
constexpr OpcodeIndex make_index() {
    OpcodeIndex index;
    for (auto& entry : index.first) entry = 0xff;
    for (std::size_t i = operation_count; i-- > 0;) {
        index.next[i] = index.first[opcodes[i].opcode];
        index.first[opcodes[i].opcode] = static_cast<std::uint8_t>(i);
    }
    return index;
}
static_assert(operation_count < 255);
inline constexpr OpcodeIndex opcode_index = make_index();
}  // namespace detail

// The operation that an instruction encodes; Operation::count if no row accepts it.
constexpr Operation find_operation(const Instruction& in) {
    for (std::uint8_t i = detail::opcode_index.first[in.opcode]; i != 0xff; i = detail::opcode_index.next[i]) {
        if (opcodes[i].accepts(in)) return static_cast<Operation>(i);
    }
    return Operation::count;
}

}  // namespace unibpf
