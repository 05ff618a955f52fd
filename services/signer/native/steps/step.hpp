// One instruction on one state: what must hold before it (else Refusal), and what holds after it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "services/signer/native/input/program.hpp"
#include "services/signer/native/state/state.hpp"

namespace unibpf::certificate {

// Where an instruction stands: in which call of which call, see chains.hpp.
struct Place {
    std::uint32_t chain = 0, at = 0;
    bool asks = false;  // between two rounds of a helper that calls back: `at` is its call
    bool operator==(const Place&) const = default;
};
// Names what a call gives; never 0.
inline std::uint64_t label_of(const Place& place) { return (std::uint64_t{place.chain} + 1) << 32 | place.at; }

enum class Use : std::uint8_t {
    read,
    write,
    update
};

class Step {
  public:
    Step(const Program& program, State& state, const Place& place) : program_{program}, state_{state}, place_{place}, insn_{program.insns[place.at]} {}

    // Everything but control flow; of calls, their arguments and effects.
    void run();
    // Whether the branch can go that way; learns what it says.
    [[nodiscard]] bool follow(bool taken);

  private:
    void demand(bool holds, const char* what) const {
        if (!holds) refuse(what);
    }
    [[noreturn]] void refuse(const char* what) const;

    Value& reg(unsigned number) { return state_.reg[number]; }
    const Value& readable(unsigned number);
    Value operand();
    void write(unsigned number, const Value& value);

    // --- arithmetic
    void compute();
    Value compute_numbers(const Value& left, const Value& right);
    Value rounded(const Value& left, std::uint64_t mask);
    Value shifted_down(const Value& left, unsigned places);
    Value sum_of_halves(const Value& left, const Value& right);
    Value compute_pointers(const Value& left, const Value& right);
    Value difference_of(const Value& left, const Value& right);
    std::optional<Value> by_complement(const Value& left, const Value& right);
    Value move_half(const Value& value);
    Value cut(const Value& value, unsigned bytes);
    Value extend(const Value& value, unsigned bytes);
    bool is_short(const Value& pointer) const;
    bool is_in_memory(const Value& pointer) const;
    void demand_comparable(const Value& pointer) const;
    bool follow_null(const Value& pointer, bool is_null);
    bool follow_pointers(const Value& left, const Value& right, bool taken);

    // --- memory
    void load();
    void store();
    void update();
    Value load_field(const Value& base) const;
    Value load_stack(const Value& base);
    Value load_map(const Value& base);
    Value memory_word() const { return state_.number(Word::bytes(insn_.bytes, insn_.op == Op::load_signed)); }
    void access(const Value& pointer, std::int64_t bytes, Use use) const;
    void access_packet(const Value& pointer, std::int64_t bytes, Use use) const;
    void access_stack(const Value& pointer, std::int64_t bytes, Use use) const;
    void access_value(const Value& pointer, std::int64_t bytes, Use use) const;
    void inside(const Value& pointer, std::int64_t bytes, std::int64_t size) const;

    // --- helpers (helper.cpp, arguments.cpp)
    void call_helper();
    void argument(const abi::HelperRow& row, unsigned number);
    void map_argument(const abi::HelperRow& row, const Value& value) const;
    void each_named_map(const abi::HelperRow& row, std::uint32_t Map::* bytes, const Value& pointer, Use use) const;
    void sized_argument(const Value& pointer, unsigned number, bool or_null, Use use);
    void printed_argument(const abi::HelperRow& row, const Value& values, unsigned number);  // printed.cpp
    void printed_text(const Value& text) const;
    bool may_be_printed_over(const Value& text, unsigned at) const;
    void size_argument(const Value& value, std::int64_t least) const;
    void string_argument(const Value& value) const;
    void context_argument(const Value& value) const;
    void lock_argument(const abi::HelperRow& row, const Value& value) const;
    void written(const abi::HelperRow& row, unsigned number);
    Value returned(const abi::HelperRow& row);
    Value attempted();
    Value look_up(const abi::HelperRow& row);
    Value reserve(const abi::HelperRow& row);
    void begin_callbacks(const abi::HelperRow& row);
    std::vector<const Map*> maps_of(const Value& handle) const;
    const Value& map_register(const abi::HelperRow& row) const;

    const Program& program_;
    State& state_;
    const Place place_;
    const Insn& insn_;
};

// The register of the first argument of that kind; 0 if there is none.
unsigned register_of(const abi::HelperRow& row, abi::Argument argument);

}  // namespace unibpf::certificate
