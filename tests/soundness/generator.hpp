// Random programs that look enough like real ones to be accepted often, and wrong often enough to be worth refusing.
//
// The generator tracks roughly what each register holds, emits instructions that suit it, and now and then leaves a check out,
// weakens it by one or swaps a register. All jumps are forward but those of counted loops. The analyser sees only bytes.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"

namespace unibpf::soundness {

using Bytes = std::vector<std::uint8_t>;

class ProgramGenerator {
  public:
    explicit ProgramGenerator(std::uint64_t seed) : random_{seed} {}

    std::vector<Instruction> program();
    // As a rewriter with a hash map (4 -> 16 bytes), an array map (4 -> 64 bytes, 4 entries) and a ring buffer.
    static Bytes bundle(const std::vector<Instruction>& code);
    Bytes packet();

  private:
    enum class Holds : std::uint8_t { nothing, number, packet, end, map_value };

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    bool chance(unsigned percent) { return below(100) < percent; }
    std::uint8_t any(Holds what, std::uint8_t otherwise);
    std::uint8_t scratch() { return static_cast<std::uint8_t>(below(8)); }  // r8, r9 belong to loops
    std::int32_t immediate();

    void emit(Operation operation, unsigned dst = 0, unsigned src = 0, int offset = 0, std::int32_t imm = 0);
    void emit_wide(Operation operation, unsigned dst, std::uint64_t value);
    void statement(unsigned depth);
    void compute();
    void move();
    void packet_access();
    void advance();
    void stack_access();
    void look_up();
    void value_access();
    void branch(unsigned depth);
    void loop(unsigned depth);
    void call();
    void test_length();
    void atomic();
    void to_exit(Operation operation, unsigned dst, unsigned src, std::int32_t imm);
    void forget_calls();
    void optional_pointer(unsigned depth);
    void stack_index();
    void call_function();
    void record();
    void loop_by_helper();
    void begin_function(unsigned index);
    void callback();
    void function(unsigned index);
    void finish_function(bool returns_number);

    std::mt19937_64 random_;
    std::vector<Instruction> code_;
    std::vector<std::size_t> exits_;  // branches whose target is the end
    std::array<Holds, 10> holds_{};
    unsigned loops_ = 0;
    bool in_function_ = false;
    std::vector<std::pair<std::size_t, unsigned>> calls_;  // call or load of the address, function
};

}  // namespace unibpf::soundness
