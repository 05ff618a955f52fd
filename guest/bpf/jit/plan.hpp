// Compile plan: what the JIT knows of a program before it writes code.
//
// Where jumps land, which values are read later (so that the rest need not be computed), which lookups need no call, and where
// each eBPF register lives. r0-r5 live where the C ABI has results and arguments; r6-r10 and what the code itself keeps get
// registers that calls preserve only if there are calls, and only those that are used are saved at the entry.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/bpf/interpreter/effects.hpp"
#include "guest/bpf/jit/emitter.hpp"
#include "guest/bpf/maps/map.hpp"
#include "guest/bpf/bundle/validate.hpp"

namespace unibpf::jit {

// What the CPU can do beyond x86-64-v1, as far as it helps.
struct Features {
    bool bmi2 = false;   // shifts by any register
    bool movbe = false;  // loads and stores that turn the bytes around
    static Features of_this_cpu();
};

// What is known of one instruction.
struct Place {
    RegisterSet live;                 // registers that may be read after it
    RegisterSet before;               // the same, before it
    std::uint16_t second_slot : 1;    // of a 64-bit load
    std::uint16_t target : 1;         // a jump goes here
    std::uint16_t loop_head : 1;      // a jump backwards goes here
    std::uint16_t backwards : 1;      // it jumps there
    std::uint16_t pooled : 1;         // an exit that shares the function's last one
    std::uint16_t inlined : 1;        // a map lookup without a call
    std::uint16_t skipped : 1;        // it only prepares such a lookup's arguments, which are known without
    std::uint16_t key : 4;            // the register that holds such a lookup's key; r10: it is where r2 points
};

// Guarded code has its constants in r11, as if eBPF had one register more.
inline constexpr unsigned scratch_register = register_count;

struct Homes {
    std::array<Reg, register_count + 1> of{Reg::rax, Reg::rdi, Reg::rsi, Reg::rdx, Reg::rcx, Reg::r8};  // and scratch_register
    Reg core = Reg::rsp;  // address of the machine's context; rsp: not kept
    Reg left = Reg::rsp;  // instructions left of the budget; rsp: kept in memory
};

class Plan {
  public:
    // `places` has one zeroed element an instruction, and one more for the end; it outlives the plan. `guard`: 0, or which try at
    // guarded code this is (guard.hpp).
    Plan(std::span<const Instruction> code, const ProgramShape& shape, std::span<Place> places, Features features, unsigned guard = 0);

    std::span<const Instruction> code() const { return code_; }
    const ProgramShape& shape() const { return shape_; }
    const Features& features() const { return features_; }
    unsigned guard() const { return guard_; }
    Place& place(std::size_t index) const { return places_[index]; }
    Reg home(unsigned reg) const { return homes_.of[reg]; }
    const Homes& homes() const { return homes_; }

    bool dead(std::size_t index, unsigned reg) const { return (places_[index].live & set_of(reg)) == 0; }
    std::size_t next(std::size_t index) const { return index + (has_two_slots(code_[index]) ? 2 : 1); }
    std::size_t target_of(std::size_t index) const { return unibpf::target_of(code_[index], index); }
    std::size_t end_of(std::size_t function) const {
        return function + 1 < shape_.count ? shape_.starts[function + 1] : code_.size();
    }

    // Where in native code the jumps land that go to an instruction of `function`.
    Label landing(std::size_t index, std::size_t function) const { return places_[index].pooled != 0 ? last(function) : at(index); }

    std::size_t length_of(std::size_t function) const { return end_of(function) - shape_.starts[function]; }

    // The array that the inlined lookup at `index` looks into.
    Map& map_of_lookup(std::size_t index) const { return *map_at(index, 0); }

    bool uses(unsigned reg) const { return (used_ & set_of(reg)) != 0; }
    bool calls_helpers() const { return calls_helpers_; }   // by a real call
    bool has_functions() const { return has_functions_; }   // that something enters but the engine
    bool dispatches() const { return dispatches_; }         // enters functions by number: tail calls, callbacks
    bool redirects() const { return redirects_; }           // may name a port for XDP_REDIRECT
    bool charges() const { return charges_; }               // the budget can end it
    bool counts_in_helpers() const { return counts_in_helpers_; }  // helpers take something off the budget, or their callbacks
    // Registers of the function that its caller wants back.
    RegisterSet saved_by(std::size_t function) const { return saved_[function]; }
    bool makes_calls(std::size_t function) const { return makes_calls_[function]; }

    // Labels: of each instruction and of the end; of what is after all functions; of each function.
    static constexpr Label at(std::size_t index) { return static_cast<Label>(index); }
    Label budget() const { return past_code(1); }       // stops a run
    Label fault() const { return past_code(2); }        // stops a run
    Label callback() const { return past_code(3); }     // stops a run that a callback or a helper has stopped
    Label dispatch() const { return past_code(4); }     // to the function whose number is in r11
    Label called_back() const { return past_code(5); }  // NativeCode::Callback
    Label entry(std::size_t function) const { return past_code(6 + function); }
    Label last(std::size_t function) const { return past_code(6 + shape_.count + function); }         // its pooled exit
    Label chosen(std::size_t function) const { return past_code(6 + 2 * shape_.count + function); }  // entered by number
    std::size_t labels() const { return past_code(6 + 3 * shape_.count); }

  private:
    Label past_code(std::size_t number) const { return static_cast<Label>(code_.size() + number); }

    void mark_jumps();
    void follow_key(std::size_t index);
    void learn();
    void learn_from(std::size_t index, std::size_t function, const Effects& effects);
    void learn_from_call(std::size_t index, std::size_t function);
    Map* map_at(std::size_t call, std::size_t first) const;
    RegisterSet follow_liveness(std::size_t index, RegisterSet falls, const Effects& effects);
    RegisterSet live_after(std::size_t index, RegisterSet falls) const;
    RegisterSet live_at_ending(std::size_t index) const;
    std::size_t unsettled() const;
    void settle_liveness();
    void assign_homes();

    std::span<const Instruction> code_;
    const ProgramShape& shape_;
    std::span<Place> places_;
    Features features_;
    unsigned guard_;
    Homes homes_;
    RegisterSet used_ = set_of(0);
    bool calls_helpers_ = false, has_functions_ = false, dispatches_ = false, redirects_ = false, charges_ = false, counts_in_helpers_ = false, counts_calls_ = false, scratch_ = false, scratch_three_ = false, has_loops_ = false;
    std::array<RegisterSet, abi::max_subprograms> saved_{};
    std::array<bool, abi::max_subprograms> makes_calls_{};
};

}  // namespace unibpf::jit
