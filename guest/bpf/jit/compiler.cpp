#include "guest/bpf/jit/compiler.hpp"

#include <cstring>

#include "guest/bpf/bundle/cost.hpp"
#include "guest/bpf/helpers/helpers.hpp"
#include "guest/bpf/jit/patterns.hpp"

namespace unibpf::jit {
namespace {

// The frame and the unwinding of who called the helper are put back: it may call back again.
#if defined(__clang__)
[[clang::no_sanitize("function")]]
#endif
std::uint64_t call_back(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4) {
    const std::uint64_t native_stack = machine.native_stack, frame = machine.frame;
    const NativeCode::Ended ended = machine.program.native().callback()(r1, r2, r3, r4, &machine.context, function);
    machine.native_stack = native_stack;
    machine.frame = frame;
    if (ended.stop == 0) return ended.r0;
    machine.callback_stop = static_cast<Stop>(ended.stop);
    machine.stopped = true;
    return 0;
}

class Compiler : public Patterns {
  public:
    using Patterns::Patterns;

    void run() {
        emit_entry();
        for (std::size_t function = 0; function < plan_.shape().count; ++function) emit_function(function);
        emit_stops();
        out_.mark(Plan::at(plan_.code().size()));
    }

  private:
    void emit_function(std::size_t function) {
        begin_function(function);
        const std::size_t end = plan_.end_of(function);
        for (std::size_t i = plan_.shape().starts[function]; i < end;) {
            if (plan_.place(i).loop_head != 0 && plan_.guard() == 0) out_.align();
            out_.mark(Plan::at(i));
            const Instruction& in = plan_.code()[i];
            const Opcode& row = row_of(in);
            if (needless(i, in, row)) {
                i = plan_.next(i);
                continue;
            }
            if (plan_.guard() != 0) {
                i += emit_guarded(i);
                out_.no_operation(plan_.guard());
                continue;
            }
            std::size_t done = emit_pattern(i, in, row);
            if (done == 0) done = emit(i, in, row);
            i += done;
        }
        end_function();
    }

    // Every category has its code here: a missing one does not compile (-Wswitch). Returns how many slots it has done with.
    std::size_t emit(std::size_t index, const Instruction& in, const Opcode& row) {
        switch (row.category) {
            case Category::alu: return emit_alu(row, in), 1;
            case Category::move_sx: return emit_move_sx(row, in), 1;
            case Category::endian: return emit_endian(row, home(in.dst)), 1;
            case Category::load_imm64: return emit_load_imm64(index, in), 2;
            case Category::load:
            case Category::load_sx: return emit_load(row, in), 1;
            case Category::store_imm:
            case Category::store: return emit_store(row, in), 1;
            case Category::atomic: return emit_atomic(row, in), 1;
            case Category::jump: return emit_jump(index, plan_.target_of(index)), 1;
            case Category::branch: return compare(row, in), branch(flag_of(row.condition), index);
            case Category::call_helper: return emit_call_helper(index, in.imm), 1;
            case Category::call_local: return emit_call_local(in), 1;
            case Category::exit: return plan_.place(index).pooled != 0 ? 1 : (emit_exit(), 1);
        }
    }

    // guard.hpp. Constants are in r11; the base of an offending displacement moves for the time of the access.
    std::size_t emit_guarded(std::size_t index) {
        Instruction in = plan_.code()[index];
        Opcode row = row_of(in);
        if (takes_constant(row)) {
            out_.load_constant(Reg::r11, operand(Width::w64, in.imm));
            row.src_operand = true;
            in.src = scratch_register;
        }
        const bool loads = row.category == Category::load || row.category == Category::load_sx;
        const bool stores = row.category == Category::store || row.category == Category::store_imm || row.category == Category::atomic;
        const unsigned base = loads ? in.src : in.dst;
        if (!(loads || stores) || !offends(in.offset)) return emit(index, in, row);
        if (row.category == Category::store && in.src == base) {
            out_.move(Width::w64, Reg::r11, home(base));
            in.src = scratch_register;
        }
        out_.memory(Width::w64, lea, home(base), at(base, detour));
        in.offset = static_cast<std::int16_t>(in.offset - detour);
        emit(index, in, row);
        if (!loads || in.dst != base) out_.memory(Width::w64, lea, home(base), at(base, -detour));
        return 1;
    }
    static bool takes_constant(const Opcode& row) {
        if (row.src_operand) return false;
        if (row.category == Category::branch || row.category == Category::store_imm) return true;
        if (row.category != Category::alu) return false;
        return row.alu != Alu::mov && row.alu != Alu::neg && row.alu != Alu::lsh && row.alu != Alu::rsh && row.alu != Alu::arsh;
    }
    static constexpr std::int32_t detour = 0x100;
    static bool offends(std::int16_t offset) {
        const std::byte bytes[] = {static_cast<std::byte>(offset), static_cast<std::byte>(offset >> 8), static_cast<std::byte>(offset >> 15)};
        return gives_rights(bytes);
    }

    // Both slots; the loader has put the real value into the immediates.
    void emit_load_imm64(std::size_t index, const Instruction& in) {
        const std::uint32_t high = static_cast<std::uint32_t>(plan_.code()[index + 1].imm);
        out_.load_constant(home(in.dst), static_cast<std::uint32_t>(in.imm) | std::uint64_t{high} << 32);
    }

    // A HelperFunction has r1..r5 as its first arguments, where they are; the machine, whose first member's base is the core, is
    // the sixth.
    void emit_call_helper(std::size_t index, std::int32_t helper) {
        if (const std::uint64_t work = work_of_call(plan_.code()[index]); work != 0) {
            charge(work);
            out_.jump_if(Flag::below, plan_.budget());
        }
        if (plan_.place(index).inlined != 0) return emit_array_lookup(index);
        const abi::HelperRow& row = abi::helpers[static_cast<std::size_t>(helper)];
        const bool calls_back = row.has(abi::calls_back), counts = calls_back || abi::cost::counted_in_runs(row.helper);
        if (counts) emit_keep_left();
        if (calls_back) {
            out_.memory(Width::w64, op(0x89), home(frame_register), core(at_frame));
            out_.load_constant(Reg::rax, reinterpret_cast<std::uintptr_t>(&call_back));
            out_.memory(Width::w64, op(0x89), Reg::rax, core(at_call_back));
        }
        out_.memory(Width::w64, lea, Reg::r9, core(from_context(0)));
        const auto function = helper_functions[static_cast<std::size_t>(helper)];
        out_.load_constant(Reg::rax, reinterpret_cast<std::uintptr_t>(function));
        out_.reg(Width::w32, op(0xff), 2, Reg::rax);
        if (counts) emit_return_of_budget();
        if (row.has(abi::tail_calls)) emit_tail_call(index);
    }
    // Of a helper that took something off the budget, or whose callbacks did: it stopped the run where there was too little.
    void emit_return_of_budget() {
        out_.memory(Width::w32, op(0x83), static_cast<unsigned>(Group1::cmp), core(at_callback_stop));
        out_.byte(0);
        out_.jump_if(Flag::not_equal, plan_.callback());
        if (left_in_register()) emit_load_left(at_left);
    }

    // Map::lookup of an array: its key is an index, its values never move. r0 is null until the index is found to be one.
    void emit_array_lookup(std::size_t index) {
        Map& map = plan_.map_of_lookup(index);
        const unsigned key = plan_.place(index).key;
        const auto values = reinterpret_cast<std::uintptr_t>(map.global_data());
        if (key == frame_register) out_.memory(Width::w32, op(0x8b), Reg::r11, at(2, 0));
        else out_.move(Width::w32, Reg::r11, home(key));
        out_.load_constant(Reg::rax, 0);
        group1(Width::w32, Group1::cmp, Reg::r11, static_cast<std::int32_t>(map.max_entries()));
        const std::size_t missing = out_.skip_if(Flag::above_equal);
        if (std::has_single_bit(map.stride())) shift(Width::w64, Group2::shl, Reg::r11, static_cast<unsigned>(std::countr_zero(map.stride())));
        else multiply(Width::w64, Reg::r11, Reg::r11, static_cast<std::int32_t>(map.stride()));
        if (values <= INT32_MAX) {
            out_.memory(Width::w64, lea, Reg::rax, {Reg::r11, static_cast<std::int32_t>(values)});
        } else {
            out_.load_constant(Reg::rax, values);
            out_.reg(Width::w64, op(0x01), Reg::r11, Reg::rax);
        }
        out_.bind(missing);
    }
};

// A draft with room for so much.
struct Room {
    OwnedArray<std::byte> bytes;
    OwnedArray<Fixup> fixups;
    OwnedArray<Mark> marks;

    Room(std::size_t size, std::size_t fixup_count, std::size_t labels)
        : bytes{make_array<std::byte>(size + draft_slack)}, fixups{make_array<Fixup>(fixup_count)}, marks{make_array<Mark>(labels)} {}
    explicit operator bool() const { return bytes && fixups && marks; }
    Draft draft() const { return {bytes.span(), fixups.span(), marks.span()}; }
};

// What most programs' drafts need; one that needs more is written again, with the room it needs.
constexpr std::size_t usual_size(std::size_t instructions) { return 512 + 11 * instructions; }
constexpr std::size_t usual_fixups(std::size_t instructions) { return 32 + instructions / 2; }

Error no_memory(std::size_t instructions) { return {"memory", "the heap has no room to compile", instructions}; }

Result<NativeCode> lay_out(const Plan& plan, const Draft& draft, const Emitter& written) {
    const Layout layout{draft, written.size(), written.fixups()};
    const auto pages = platform::code_allocate(layout.size());
    if (pages.empty()) return Error{"memory", "there are no code pages for the program", layout.size()};
    NativeCode native{pages, layout.size(), plan.dispatches() ? layout.offset_of(plan.called_back()) : 0};
    if (!layout.write(pages)) return Error{"load", "a jump of native code does not reach", layout.size()};
    std::memset(pages.data() + layout.size(), 0xcc, pages.size() - layout.size());  // int3, not another program's code
    return native;
}

// Written, not sealed.
Result<NativeCode> write(std::span<const Instruction> code, const ProgramShape& shape, Features features, unsigned guard) {
    auto places = make_array<Place>(code.size() + 1);
    if (!places) return no_memory(code.size());
    auto plan = make<Plan>(code, shape, places.span(), features, guard);
    if (!plan) return no_memory(code.size());
    std::size_t size = usual_size(code.size()), fixups = usual_fixups(code.size());
    for (bool again = false;; again = true) {
        const Room room{size, fixups, plan->labels()};
        if (!room) return no_memory(code.size());
        const Draft draft = room.draft();
        Emitter out{draft, guard != 0};
        Compiler{*plan, out}.run();
        if (out.fits()) return lay_out(*plan, draft, out);
        if (again) return Error{"load", "native code changed its size", out.size()};
        size = out.size();
        fixups = out.fixups();
    }
}

}  // namespace

Result<NativeCode> compile(std::span<const Instruction> code, const ProgramShape& shape, Features features, Guard guard) {
    unsigned round = guard == Guard::always ? 1 : 0;
    NativeCode native = TRY(write(code, shape, features, round));
    while (guard != Guard::off && any_gives_rights(native.pages())) {
        if (++round > guarded_tries) return Error{"load", "native code would hold an instruction that changes rights"};
        native = NativeCode{};
        native = TRY(write(code, shape, features, round));
    }
    if (!platform::code_seal(native.pages())) return Error{"load", "the platform does not seal code pages"};
    return native;
}

void after_stop(Machine& machine, Stop stop) {
    machine.trap = {stop == Stop::budget ? "instruction budget exceeded" : "calls nest deeper than 8 frames", 0, 0};
    machine.callback_stop = Stop::exit;
    machine.stopped = false;
}

}  // namespace unibpf::jit
