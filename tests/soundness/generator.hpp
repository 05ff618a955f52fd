// Random programs that look enough like real ones to be accepted often, and wrong often enough to be worth refusing.
//
// The generator tracks roughly what each register holds, emits instructions that suit it, and now and then leaves a check out,
// weakens it by one or swaps a register. All jumps are forward but those of counted loops. The analyser sees only bytes.
//
// Half of the statements are what programs do; the others (generator_hostile.cpp) are what attackers try: halves and parts of
// addresses, signs, distances near 2^31, 2^32 and 2^63, nullness of moved pointers. A program uses only some of those, others
// others (swarm testing, Groce et al., ISSTA 2012): all at once would hardly ever be accepted.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/isa.hpp"

namespace unibpf::soundness {

using Bytes = std::vector<std::uint8_t>;

// 2 of a 64-bit load.
inline std::size_t slots_of(const Instruction& in) {
    const Operation operation = find_operation(in);
    return operation != Operation::count && describe(operation).category == Category::load_imm64 ? 2 : 1;
}

// Positions in the bundle's maps.
enum class Map : std::uint8_t {
    hash,
    array,
    ring,
    jumps,
    routes,
    outer,
    inner,
    locked,
    text,
    data,
    ports,
    lru,
    percpu,
    events,
    percpu_hash,
    lru_percpu,
    port_names,
    outer_hash,
    count
};

// A 64-bit constant that is added to a pointer: it is worth being chosen for where the pointer points.
struct Aim {
    std::size_t at;     // of the load of the constant
    std::uint8_t reg;   // the pointer, which the next instruction moves
    bool backwards;     // by subtracting
};

class ProgramGenerator {
  public:
    explicit ProgramGenerator(std::uint64_t seed) : random_{seed} {}

    std::vector<Instruction> program();
    const std::vector<Aim>& aims() const { return aims_; }
    // Where the function begins that the program array names; 0: no program array is used.
    std::uint32_t tail() const { return tail_; }
    // As a rewriter with a map of every kind (Map). `tail` is what the program array holds.
    static Bytes bundle(const std::vector<Instruction>& code, std::uint32_t tail);
    Bytes packet();
    // The type of the map at that place, as abi.hpp names it.
    static std::string_view type_of_map(unsigned index);

  private:
    enum class Holds : std::uint8_t {
        nothing,
        number,
        packet,
        end,
        map_value,
        half
    };

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
    std::uint8_t readable();
    std::uint8_t pointer();
    void load_context(unsigned reg) { emit(Operation::op_ldxdw, reg, frame_register, -56); }
    void load_map(unsigned reg, Map map) { emit_wide(Operation::op_lddw_map, reg, static_cast<std::uint64_t>(map)); }
    void load_value(unsigned reg, Map map, std::uint64_t offset = 0) { emit_wide(Operation::op_lddw_map_value, reg, offset << 32 | static_cast<std::uint64_t>(map)); }
    void load_stack(unsigned reg, int offset);
    void load_function(unsigned reg, unsigned index);
    void call_helper(std::int32_t number);
    void reload_packet(int start, int end);
    std::uint8_t unknown_number();
    void hostile();
    void narrow_move();
    void partial_spill();
    void spill(unsigned src);
    void context_load();
    void far_move(unsigned reg);
    void move_far();
    void null_join();
    void function_address();
    void for_each();
    void element_callback();
    void tail_call();
    void tail_function();
    void inner_map();
    void prefix_lookup();
    void lock();
    void metadata();
    void any_helper();
    bool argument(const abi::HelperRow& row, unsigned position, Map& map);
    void buffer();
    void failing_load();
    void pointer_branch();
    void pointer_alu();
    void begin_function(unsigned index);
    void callback();
    void function(unsigned index);
    void finish_function(bool returns_number);

    std::mt19937_64 random_;
    std::vector<Instruction> code_;
    std::vector<std::size_t> exits_;  // branches whose target is the end
    std::array<Holds, 10> holds_{};
    unsigned loops_ = 0;
    bool in_function_ = false, uses_tail_ = false;
    std::uint32_t hostile_ = 0;  // bit for each hostile statement that this program may have
    std::uint32_t tail_ = 0;
    std::vector<Aim> aims_;
    std::vector<std::pair<std::size_t, unsigned>> calls_;  // call or load of the address, function
};

}  // namespace unibpf::soundness
