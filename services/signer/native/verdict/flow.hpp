// What one block does to a state, and where control can go then.
#pragma once

#include <array>
#include <optional>

#include "services/signer/native/verdict/chains.hpp"
#include "services/signer/native/steps/step.hpp"

namespace unibpf::certificate {

struct Exit {
    Place place;
    State state;
    bool round_is_over = false;  // a callback's return to the question whether there is another round
};

struct Flow {
    std::array<std::optional<Exit>, 2> exits{};  // `next`, `taken`
    std::uint64_t instructions = 0;
    std::uint64_t charged = 0;  // what a guest takes off the budget for control: jumps backwards by distance, functions by length
    std::uint64_t work = 0;     // of helpers
    bool tail_call = false;
};

class Block {
  public:
    Block(const Program& program, const Chains& chains, const Place& place, State&& state) : program_{program}, chains_{chains}, place_{place}, state_{std::move(state)} {}

    Flow run();

  private:
    [[noreturn]] void refuse(const char* what) const;
    void demand(bool holds, const char* what) const {
        if (!holds) refuse(what);
    }

    void leave(const Insn& insn);
    void fall_through(State&& state) { exit(0, {place_.chain, place_.at + 1, false}, std::move(state)); }
    void exit(unsigned slot, const Place& place, State&& state, bool round_is_over = false);
    std::uint32_t callee(Role role) const;
    void ask();
    bool enter_callback(State& state, const abi::HelperRow& row) const;
    void leave_function();
    void leave_callback(const Chain& chain);
    void leave_by_tail_call();
    std::uint64_t charge_of(const Insn& last) const;
    void nothing_held() const;

    const Program& program_;
    const Chains& chains_;
    Place place_;
    State state_;
    Flow flow_;
};

}  // namespace unibpf::certificate
