#include "guest/bpf/jit/plan.hpp"

#include <cpuid.h>

namespace unibpf::jit {
namespace {

constexpr unsigned map_argument = 1;  // r1 of the map helpers
constexpr unsigned longest_ending = 4;     // instructions
constexpr unsigned liveness_sweeps = 16;  // more than loops nest in any program that was compiled from C

// Sound: the loader has put the address of a Map there, which lives as long as the program.
Map* map_in(const Instruction* load) {
    const std::uint64_t address = static_cast<std::uint32_t>(load[0].imm) | std::uint64_t{static_cast<std::uint32_t>(load[1].imm)} << 32;
    return reinterpret_cast<Map*>(static_cast<std::uintptr_t>(address));
}

bool loads_handle(const Instruction& in) { return is(in, Operation::op_lddw_map) && in.dst == map_argument; }

constexpr bool divides(const Opcode& row) {
    return row.category == Category::alu && (row.alu == Alu::div || row.alu == Alu::sdiv || row.alu == Alu::mod || row.alu == Alu::smod);
}
constexpr bool shifts_by_register(const Opcode& row) {
    return row.category == Category::alu && row.src_operand && (row.alu == Alu::lsh || row.alu == Alu::rsh || row.alu == Alu::arsh);
}

// Rows of which more is to be learned than the registers that they read and write.
constexpr bool asks_for_more(const Opcode& row) {
    switch (row.category) {
        case Category::call_helper:
        case Category::call_local:
        case Category::atomic: return true;
        default: return divides(row) || shifts_by_register(row);
    }
}
constexpr std::array<bool, operation_count> all_that_ask() {
    std::array<bool, operation_count> all{};
    for (std::size_t i = 0; i < operation_count; ++i) all[i] = asks_for_more(opcodes[i]);
    return all;
}
constexpr std::array<bool, operation_count> asks = all_that_ask();

}  // namespace

// SDM, CPUID: leaf 7, subleaf 0, EBX bit 8; leaf 1, ECX bit 22. Asked once: a hypervisor answers it, which takes microseconds.
Features Features::of_this_cpu() {
    static bool asked = false;
    static Features found;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!asked && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) found.bmi2 = (ebx >> 8 & 1) != 0;
    if (!asked && __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) found.movbe = (ecx >> 22 & 1) != 0;
    asked = true;
    return found;
}

Plan::Plan(std::span<const Instruction> code, const ProgramShape& shape, std::span<Place> places, Features features, unsigned guard)
    : code_{code}, shape_{shape}, places_{places}, features_{features}, guard_{guard} {
    mark_jumps();
    learn();
    settle_liveness();
    assign_homes();
}

// `if (c) goto over; exit; over:` becomes a jump to the function's pooled exit.
void Plan::mark_jumps() {
    for (std::size_t i = 0; i < code_.size(); i = next(i)) {
        const Instruction& in = code_[i];
        if (has_two_slots(in)) places_[i + 1].second_slot = 1;
        if (!jumps(in)) continue;
        const std::size_t target = target_of(i);
        places_[target].target = 1;
        if (target <= i) {
            places_[target].loop_head = places_[i].backwards = 1;
            places_[target].before = live_at_ending(target);
            has_loops_ = true;
        }
        const bool branches = row_of(in).category == Category::branch;
        if (branches && target == i + 2 && is(code_[i + 1], Operation::op_exit)) places_[i + 1].pooled = 1;
    }
}

// Everything else, and a first sweep of liveness with it: backwards, so that a lookup is known before what prepares it.
void Plan::learn() {
    RegisterSet before = 0;
    for (std::size_t function = shape_.count; function-- > 0;) {
        RegisterSet written = 0;
        for (std::size_t end = end_of(function), i = end; i-- > shape_.starts[function];) {
            if (places_[i].second_slot != 0) continue;
            const Effects effects = effects_of(code_[i]);
            if (asks[code_[i].opcode]) learn_from(i, function, effects);
            else used_ |= effects.reads | effects.writes;
            written |= effects.writes;
            before = follow_liveness(i, before, effects);
        }
        saved_[function] = written & callee_saved;
    }
    if (shape_.count > 1 || dispatches_) has_functions_ = true;
    if (has_functions_) used_ |= set_of(frame_register);
    charges_ = has_loops_ || has_functions_ || counts_in_helpers_ || counts_calls_;
    if (has_functions_ || scratch_three_ || guard_ != 0) scratch_ = true;
}

void Plan::learn_from(std::size_t index, std::size_t function, const Effects& effects) {
    const Instruction& in = code_[index];
    const Opcode& row = row_of(in);
    if (row.category == Category::call_local) {
        has_functions_ = makes_calls_[function] = true;
        return;
    }
    used_ |= effects.reads;
    if (row.category == Category::call_helper) return learn_from_call(index, function);
    used_ |= effects.writes;
    if (divides(row) || row.category == Category::atomic) scratch_three_ = true;
    if (shifts_by_register(row) && !features_.bmi2) scratch_ = true;
}

void Plan::learn_from_call(std::size_t index, std::size_t function) {
    const abi::HelperRow& helper = abi::helpers[static_cast<std::size_t>(code_[index].imm)];
    scratch_ = true;
    if (helper.helper == abi::Helper::redirect || helper.helper == abi::Helper::redirect_map) redirects_ = true;
    if (helper.has(abi::tail_calls | abi::calls_back)) dispatches_ = true;
    if (helper.has(abi::calls_back) || abi::cost::counted_in_runs(helper.helper)) counts_in_helpers_ = true;
    if (work_of_call(code_[index]) != 0) counts_calls_ = true;
    const Map* map = guard_ == 0 && helper.helper == abi::Helper::map_lookup_elem ? map_at(index, shape_.starts[function]) : nullptr;
    const bool inlined = map != nullptr && map->array_like();
    places_[index].inlined = inlined;
    if (inlined) follow_key(index);
    else calls_helpers_ = makes_calls_[function] = true;
}

// The map whose handle r1 is known to hold at a call, if one is, in a function that starts at `first`.
Map* Plan::map_at(std::size_t call, std::size_t first) const {
    for (std::size_t i = call; places_[i].target == 0 && i > first;) {
        if (places_[--i].second_slot != 0) --i;
        if (loads_handle(code_[i])) return map_in(&code_[i]);
        if ((effects_of(code_[i]).writes & set_of(map_argument)) != 0) break;
    }
    return nullptr;
}

// *(u32 *)(r10 + k) = x; r2 = r10; r2 += k; r1 = map; call: what clang makes of a lookup by a number. The key is in x.
void Plan::follow_key(std::size_t index) {
    places_[index].key = frame_register;
    if (index < 5) return;
    for (std::size_t i = index - 4; i <= index; ++i) {
        if (places_[i].target != 0) return;
    }
    const Instruction *store = &code_[index - 5], *move = &code_[index - 4], *add = &code_[index - 3], *load = &code_[index - 2];
    const bool found = loads_handle(*load) && places_[index - 5].second_slot == 0 && is(*store, Operation::op_stxw) && store->dst == frame_register &&
                       is(*move, Operation::op_mov64_reg) && move->dst == 2 && move->src == frame_register &&
                       is(*add, Operation::op_add64_imm) && add->dst == 2 && add->imm == store->offset;
    if (!found) return;
    places_[index].key = store->src;
    for (std::size_t i = index - 4; i < index; ++i) places_[i].skipped = 1;
}

// --- liveness: backwards to a fixpoint, from nothing -----------------------------------------------------------------------

// `falls`: what is live before the next instruction.
RegisterSet Plan::live_after(std::size_t index, RegisterSet falls) const {
    const Instruction& in = code_[index];
    if (is(in, Operation::op_exit)) return 0;
    const bool always = row_of(in).category == Category::jump;
    return static_cast<RegisterSet>((always ? 0 : falls) | places_[target_of(index)].before);
}

// What is live before an instruction, by what is before the next one; both sides are kept.
RegisterSet Plan::follow_liveness(std::size_t index, RegisterSet falls, const Effects& effects) {
    Place& at = places_[index];
    const RegisterSet live = row_effects[code_[index].opcode].leaves != 0 ? live_after(index, falls) : falls;
    RegisterSet before = static_cast<RegisterSet>((live & ~effects.writes) | effects.reads);
    if (at.skipped != 0) before = live;
    if (at.inlined != 0) before = static_cast<RegisterSet>((live & ~effects.writes) | set_of(at.key == frame_register ? 2U : at.key));
    at.live = live;
    at.before = before;
    return before;
}

// A guess of what is live before the target of a jump backwards, which the first sweep sees after the jump. It is right for what
// compilers jump back to most: an exit that functions share.
RegisterSet Plan::live_at_ending(std::size_t index) const {
    RegisterSet read = 0, written = 0;
    for (unsigned step = 0; step < longest_ending && index < code_.size(); ++step, index = next(index)) {
        const Effects effects = effects_of(code_[index]);
        read |= effects.reads & ~written;
        written |= effects.writes;
        if (row_effects[code_[index].opcode].leaves != 0) return is(code_[index], Operation::op_exit) ? read : RegisterSet{0};
    }
    return 0;
}

// A sweep has seen what its jumps forward go to, but of jumps backwards what the sweep before left there. The end of what must be
// swept again, 0 when nothing must.
std::size_t Plan::unsettled() const {
    for (std::size_t i = code_.size(); i-- > 0;) {
        if (places_[i].backwards != 0 && (places_[target_of(i)].before & ~places_[i].live) != 0) return i + 1;
    }
    return 0;
}

// Where many more sweeps do not suffice, every register counts as read.
void Plan::settle_liveness() {
    if (!has_loops_) return;
    for (unsigned sweep = 0; sweep < liveness_sweeps; ++sweep) {
        const std::size_t end = unsettled();
        if (end == 0) return;
        RegisterSet before = places_[end].before;
        for (std::size_t i = end; i-- > 0;) {
            if (places_[i].second_slot == 0) before = follow_liveness(i, before, effects_of(code_[i]));
        }
    }
    for (Place& place : places_) place.live = every_register;
}

// --- homes -----------------------------------------------------------------------------------------------------------------

// The C ABI lets a callee clobber rax rcx rdx rsi rdi r8-r11. r11 is scratch inside one instruction where
// one may need it, r9 and r10 too where a division or an atomic needs three. Short encodings first: rbx and rbp need no prefix, r12 as a base needs one byte more.
void Plan::assign_homes() {
    std::array<Reg, 13> free{};
    std::size_t count = 0, taken = 0;
    if (!calls_helpers_) {
        for (const unsigned reg : {2U, 3U, 4U, 5U}) {
            const bool implied = (reg == 3 && scratch_three_) || (reg == 4 && !features_.bmi2);  // rdx of div, cl of shifts
            if (!uses(reg) && !implied) free[count++] = homes_.of[reg];
        }
        if (!scratch_three_) free[count++] = Reg::r9, free[count++] = Reg::r10;
        if (!scratch_) free[count++] = Reg::r11;
    }
    for (const Reg reg : {Reg::rbx, Reg::rbp, Reg::r14, Reg::r15, Reg::r13, Reg::r12}) free[count++] = reg;
    homes_.of[scratch_register] = Reg::r11;
    const auto take = [&](Reg& home) { if (taken < count) home = free[taken++]; };
    for (const unsigned reg : {6U, 10U, 7U, 8U, 9U}) {
        if (uses(reg)) take(homes_.of[reg]);
    }
    if (calls_helpers_ || charges_) take(homes_.core);
    if (has_loops_) take(homes_.left);
}

}  // namespace unibpf::jit
