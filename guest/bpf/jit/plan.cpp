#include "guest/bpf/jit/plan.hpp"

#include <cpuid.h>

namespace unibpf::jit {
namespace {

constexpr unsigned map_argument = 1;  // r1 of the map helpers
constexpr unsigned liveness_sweeps = 16;  // more than loops nest in any program that was compiled from C

// Sound: the loader has put the address of a Map there, which lives as long as the program.
Map* map_in(const Instruction* load) {
    const std::uint64_t address = static_cast<std::uint32_t>(load[0].imm) | std::uint64_t{static_cast<std::uint32_t>(load[1].imm)} << 32;
    return reinterpret_cast<Map*>(static_cast<std::uintptr_t>(address));
}

bool loads_handle(const Opcode& row, const Instruction& in) {
    return row.category == Category::load_imm64 && row.immediate == Immediate64::map && in.dst == map_argument;
}

}  // namespace

// SDM, CPUID: leaf 7, subleaf 0, EBX bit 8. Asked once: a hypervisor answers it, which takes microseconds.
Features Features::of_this_cpu() {
    static bool asked = false;
    static Features found;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!asked && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) found.bmi2 = (ebx >> 8 & 1) != 0;
    asked = true;
    return found;
}

Plan::Plan(std::span<const Instruction> code, const ProgramShape& shape, std::span<Place> places, Features features, unsigned guard)
    : code_{code}, shape_{shape}, places_{places}, features_{features}, guard_{guard} {
    mark_jumps();
    learn();
    follow_liveness();
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
        if (target <= i) places_[target].loop_head = 1;
        const bool branches = row_of(in).category == Category::branch;
        if (branches && target == i + 2 && is(code_[i + 1], Operation::op_exit)) places_[i + 1].pooled = 1;
    }
}

void Plan::learn() {
    for (std::size_t function = 0; function < shape_.count; ++function) {
        handle_in_r1_ = nullptr;
        for (std::size_t i = shape_.starts[function]; i < end_of(function); i = next(i)) learn_from(i, function);
    }
    if (shape_.count > 1 || dispatches_) has_functions_ = true;
    if (has_functions_) used_ |= set_of(frame_register);
    charges_ = has_loops_ || has_functions_;
    if (has_functions_ || scratch_three_ || guard_ != 0) scratch_ = true;
}

void Plan::learn_from(std::size_t index, std::size_t function) {
    const Instruction& in = code_[index];
    const Opcode& row = row_of(in);
    Place& at = places_[index];
    if (at.target != 0) handle_in_r1_ = nullptr;  // another path may come with another handle
    const RegisterSet writes = writes_of(in);
    if (row.category == Category::call_helper) {
        const abi::HelperRow& helper = abi::helpers[static_cast<std::size_t>(in.imm)];
        scratch_ = true;
        if (helper.helper == abi::Helper::redirect || helper.helper == abi::Helper::redirect_map) redirects_ = true;
        if (helper.has(abi::tail_calls | abi::calls_back)) dispatches_ = true;
        at.inlined = guard_ == 0 && helper.helper == abi::Helper::map_lookup_elem && handle_in_r1_ != nullptr && map_in(handle_in_r1_)->array_like();
        if (at.inlined != 0) follow_key(index);
        else calls_helpers_ = makes_calls_[function] = true;
    }
    if (row.category == Category::call_local) has_functions_ = makes_calls_[function] = true;
    if (jumps(in) && target_of(index) <= index) has_loops_ = true;
    const bool divides = row.category == Category::alu && (row.alu == Alu::div || row.alu == Alu::sdiv || row.alu == Alu::mod || row.alu == Alu::smod);
    if (divides || row.category == Category::atomic) scratch_three_ = true;
    const bool shifts = row.category == Category::alu && row.src_operand && (row.alu == Alu::lsh || row.alu == Alu::rsh || row.alu == Alu::arsh);
    if (shifts && !features_.bmi2) scratch_ = true;
    if (row.category != Category::call_local) used_ |= static_cast<RegisterSet>(reads_of(in) | (row.category == Category::call_helper ? 0 : writes));
    saved_[function] |= writes & callee_saved;
    if (loads_handle(row, in)) handle_in_r1_ = &in;
    else if ((writes & set_of(map_argument)) != 0) handle_in_r1_ = nullptr;
}

// *(u32 *)(r10 + k) = x; r2 = r10; r2 += k; r1 = map; call: what clang makes of a lookup by a number. The key is in x.
void Plan::follow_key(std::size_t index) {
    places_[index].key = frame_register;
    if (index < 5) return;
    for (std::size_t i = index - 4; i <= index; ++i) {
        if (places_[i].target != 0) return;
    }
    const Instruction *store = &code_[index - 5], *move = &code_[index - 4], *add = &code_[index - 3], *load = &code_[index - 2];
    const bool found = places_[index - 5].second_slot == 0 && is(*store, Operation::op_stxw) && store->dst == frame_register &&
                       is(*move, Operation::op_mov64_reg) && move->dst == 2 && move->src == frame_register &&
                       is(*add, Operation::op_add64_imm) && add->dst == 2 && add->imm == store->offset && load == handle_in_r1_;
    if (!found) return;
    places_[index].key = store->src;
    for (std::size_t i = index - 4; i < index; ++i) places_[i].skipped = 1;
}

Map& Plan::map_of_lookup(std::size_t index) const {
    const Instruction* in = &code_[index];
    do --in;
    while (!(places_[static_cast<std::size_t>(in - code_.data())].second_slot == 0 && loads_handle(row_of(*in), *in)));
    return *map_in(in);
}

// --- liveness: backwards to a fixpoint, from nothing -----------------------------------------------------------------------

RegisterSet Plan::live_before(std::size_t index) const {
    const Instruction& in = code_[index];
    const Place& at = places_[index];
    if (at.skipped != 0) return at.live;
    const RegisterSet read = at.inlined == 0 ? reads_of(in) : set_of(at.key == frame_register ? 2U : at.key);
    return static_cast<RegisterSet>((places_[index].live & ~writes_of(in)) | read);
}

// `falls`: what is live before the next instruction.
RegisterSet Plan::live_after(std::size_t index, RegisterSet falls) const {
    const Instruction& in = code_[index];
    if (is(in, Operation::op_exit)) return 0;
    if (!jumps(in)) return falls;
    const bool always = row_of(in).category == Category::jump;
    return static_cast<RegisterSet>((always ? 0 : falls) | live_before(target_of(index)));
}

bool Plan::sweep_liveness() {
    bool changed = false;
    RegisterSet before = 0;
    for (std::size_t i = code_.size(); i-- > 0;) {
        if (places_[i].second_slot != 0) continue;
        const RegisterSet live = live_after(i, before);
        changed |= live != places_[i].live;
        places_[i].live = live;
        before = live_before(i);
    }
    return changed;
}

// Without loops one sweep is all; where many do not suffice, every register counts as read.
void Plan::follow_liveness() {
    for (unsigned sweep = 0; sweep < liveness_sweeps; ++sweep) {
        if (!sweep_liveness() || !has_loops_) return;
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

void Plan::choose_reach() {
    std::size_t function = 0;
    for (std::size_t i = 0; i < code_.size(); i = next(i)) {
        if (end_of(function) <= i) ++function;
        const bool pooled = places_[i].pooled != 0;
        if (!pooled && !jumps(code_[i])) continue;
        const auto lands = static_cast<std::int64_t>(pooled ? exits.last[function] : landing(target_of(i), function));
        // Its own jump ends somewhere between its first byte (and two more) and the next instruction's first.
        const std::int64_t from = lands > places_[i].offset ? std::int64_t{places_[i].offset} + 2 : std::int64_t{places_[next(i)].offset};
        places_[i].near = lands - from <= 127 && lands - from >= -128;
    }
}

}  // namespace unibpf::jit
