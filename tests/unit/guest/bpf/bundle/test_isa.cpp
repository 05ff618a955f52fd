// The opcode table against facts that it does not contain itself.
#include <doctest/doctest.h>

#include <linux/bpf.h>

#include <set>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"

using namespace unibpf;

TEST_CASE("no two rows accept one encoding") {
    for (std::size_t a = 0; a < operation_count; ++a) {
        for (std::size_t b = a + 1; b < operation_count; ++b) {
            const Opcode &x = opcodes[a], &y = opcodes[b];
            const auto apart = [](const FieldRule& p, const FieldRule& q) { return !p.free && !q.free && p.value != q.value; };
            CAPTURE(operation_names[a]);
            CAPTURE(operation_names[b]);
            CHECK((x.opcode != y.opcode || apart(x.src, y.src) || apart(x.offset, y.offset) || apart(x.imm, y.imm)));
        }
    }
}

TEST_CASE("every row finds itself") {
    for (std::size_t i = 0; i < operation_count; ++i) {
        const Opcode& row = opcodes[i];
        const Instruction in{row.opcode, 0, static_cast<std::uint8_t>(row.src.value), static_cast<std::int16_t>(row.offset.value), row.imm.value};
        CHECK(find_operation(in) == static_cast<Operation>(i));
    }
}

TEST_CASE("opcode bytes are those of the kernel's header") {
    const auto byte = [](Operation operation) { return int{describe(operation).opcode}; };
    CHECK(byte(Operation::op_add64_imm) == (BPF_ALU64 | BPF_ADD | BPF_K));
    CHECK(byte(Operation::op_arsh32_reg) == (BPF_ALU | BPF_ARSH | BPF_X));
    CHECK(byte(Operation::op_xor64_reg) == (BPF_ALU64 | BPF_XOR | BPF_X));
    CHECK(byte(Operation::op_neg32) == (BPF_ALU | BPF_NEG));
    CHECK(byte(Operation::op_be16) == (BPF_ALU | BPF_END | BPF_TO_BE));
    CHECK(byte(Operation::op_lddw) == (BPF_LD | BPF_IMM | BPF_DW));
    CHECK(byte(Operation::op_ldxw) == (BPF_LDX | BPF_MEM | BPF_W));
    CHECK(byte(Operation::op_ldxsb) == (BPF_LDX | 0x80 | BPF_B));
    CHECK(byte(Operation::op_sth) == (BPF_ST | BPF_MEM | BPF_H));
    CHECK(byte(Operation::op_stxdw) == (BPF_STX | BPF_MEM | BPF_DW));
    CHECK(byte(Operation::op_atomic_add64) == (BPF_STX | BPF_ATOMIC | BPF_DW));
    CHECK(byte(Operation::op_jslt32_reg) == (BPF_JMP32 | BPF_JSLT | BPF_X));
    CHECK(byte(Operation::op_jset64_imm) == (BPF_JMP | BPF_JSET | BPF_K));
    CHECK(byte(Operation::op_gotol) == (BPF_JMP32 | BPF_JA));
    CHECK(byte(Operation::op_call_helper) == (BPF_JMP | BPF_CALL));
    CHECK(byte(Operation::op_exit) == (BPF_JMP | BPF_EXIT));
    CHECK(describe(Operation::op_atomic_cmpxchg32).imm.value == BPF_CMPXCHG);
    CHECK(describe(Operation::op_atomic_xchg32).imm.value == BPF_XCHG);
    CHECK(describe(Operation::op_atomic_fetch_xor64).imm.value == (BPF_XOR | BPF_FETCH));
}

TEST_CASE("helper, map and action numbers are those of the kernel's header") {
    CHECK(int(abi::Helper::map_lookup_elem) == BPF_FUNC_map_lookup_elem);
    CHECK(int(abi::Helper::csum_diff) == BPF_FUNC_csum_diff);
    CHECK(int(abi::Helper::xdp_adjust_head) == BPF_FUNC_xdp_adjust_head);
    CHECK(int(abi::Helper::xdp_adjust_tail) == BPF_FUNC_xdp_adjust_tail);
    CHECK(int(abi::Helper::ktime_get_boot_ns) == BPF_FUNC_ktime_get_boot_ns);
    CHECK(int(abi::Helper::get_prandom_u32) == BPF_FUNC_get_prandom_u32);
    CHECK(int(abi::MapType::lru_percpu_hash) == BPF_MAP_TYPE_LRU_PERCPU_HASH);
    CHECK(int(abi::MapType::percpu_array) == BPF_MAP_TYPE_PERCPU_ARRAY);
    CHECK(abi::map_flag_no_common_lru == BPF_F_NO_COMMON_LRU);
    CHECK(abi::map_flag_rdonly_prog == BPF_F_RDONLY_PROG);
    CHECK(abi::xdp_redirect == static_cast<int>(XDP_REDIRECT));
    CHECK(sizeof(abi::XdpMd) == sizeof(struct xdp_md));
    CHECK(offsetof(abi::XdpMd, ingress_ifindex) == offsetof(struct xdp_md, ingress_ifindex));
}

TEST_CASE("helper rows are in ascending order and argument shapes make sense") {
    for (std::size_t i = 0; i < abi::helpers.size(); ++i) {
        const auto& row = abi::helpers[i];
        CAPTURE(row.name);
        if (i > 0) CHECK(abi::helpers[i - 1].helper < row.helper);
        for (std::size_t a = 0; a < row.arguments.size(); ++a) {
            const bool sized = row.arguments[a] == abi::Argument::memory_read || row.arguments[a] == abi::Argument::memory_read_or_null;
            if (sized) REQUIRE(a + 1 < row.arguments.size());
            if (sized) CHECK((row.arguments[a + 1] == abi::Argument::size || row.arguments[a + 1] == abi::Argument::size_or_zero));
        }
    }
}
