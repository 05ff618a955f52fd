// One algorithm, so one long function: the dispatch loop. Every label body is generated from the opcode table.
#include "guest/bpf/interpreter/interpreter.hpp"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "guest/bpf/bundle/cost.hpp"
#include "guest/bpf/interpreter/arithmetic.hpp"
#include "guest/bpf/helpers/bounds.hpp"
#include "guest/bpf/interpreter/effects.hpp"
#include "guest/bpf/helpers/helpers.hpp"

namespace unibpf {
namespace {

// What a call has to bring back: RFC 9669 2.2, r6-r9 are callee saved and r10 is the caller's frame.
struct Frame {
    const Instruction* return_to;
    std::uint64_t saved[4];
};

template <unsigned bytes>
std::uint64_t read_memory(std::uint64_t address) {
    std::uint64_t value = 0;
    // Sound: proved (or just checked) to lie inside packet, stack, context or map; memcpy because alignment is not promised.
    std::memcpy(&value, reinterpret_cast<const void*>(address), bytes);
    return value;
}

template <unsigned bytes>
void write_memory(std::uint64_t address, std::uint64_t value) {
    std::memcpy(reinterpret_cast<void*>(address), &value, bytes);  // sound as above
}

template <const Opcode& row>
std::uint64_t compute(std::uint64_t dst, std::uint64_t operand) {
    if constexpr (row.width == 64) return arithmetic::compute<row.alu, std::uint64_t>(dst, operand);
    return arithmetic::compute<row.alu, std::uint32_t>(static_cast<std::uint32_t>(dst), static_cast<std::uint32_t>(operand));
}

template <const Opcode& row>
bool test_branch(std::uint64_t a, std::uint64_t b) {
    if constexpr (row.width == 64) return arithmetic::holds<row.condition, std::uint64_t>(a, b);
    return arithmetic::holds<row.condition, std::uint32_t>(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
}

// One CPU and nothing that interrupts the data path: a plain read and write is atomic to everybody (platform.hpp).
template <const Opcode& row>
void run_atomic(std::uint64_t address, std::uint64_t& src, std::uint64_t& r0) {
    using U = std::conditional_t<row.bytes == 8, std::uint64_t, std::uint32_t>;
    const U old = static_cast<U>(read_memory<row.bytes>(address));
    if constexpr (row.atomic == Atomic::cmpxchg) {
        if (old == static_cast<U>(r0)) write_memory<row.bytes>(address, src);
        r0 = old;
    } else {
        write_memory<row.bytes>(address, arithmetic::combine<row.atomic, U>(old, static_cast<U>(src)));
        if constexpr (row.atomic >= Atomic::fetch_add) src = old;
    }
}

template <Operation operation>
inline constexpr Opcode row_for = describe(operation);

std::uint64_t immediate(const Instruction& in) { return static_cast<std::uint64_t>(std::int64_t{in.imm}); }
std::uint64_t offset_of(const Instruction& in) { return static_cast<std::uint64_t>(std::int64_t{in.offset}); }

// What a run begins with; a callback's begins in the middle of another.
struct Start {
    std::uint64_t instruction;
    std::uint64_t frame;  // r10
    std::array<std::uint64_t, 4> arguments;
};

// Whether the engine has to do something after a call of the helper: it went on elsewhere, or took something off the budget.
bool comes_back_changed(std::int32_t helper) {
    const abi::HelperRow& row = abi::helpers[static_cast<std::size_t>(helper)];
    return row.has(abi::tail_calls | abi::calls_back) || abi::cost::counted_in_runs(row.helper);
}

template <Policy policy>
std::uint64_t call_back(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4);

constexpr const char* no_budget = "instruction budget exceeded";
constexpr const char* no_frame = "calls nest deeper than 8 frames";

// Rows with a second body: a chained instruction takes its first operand (of loads the base, of stores and moves the value) from
// `last`, the register that was written last, instead of from memory, where a value just written takes long to come back from.
// prepare() chains what can be; in loaded code chained operations are numbered after the table's.
// clang-format off
#define CHAINED_ALU(X, op) X(op##64_imm, alu) X(op##64_reg, alu) X(op##32_imm, alu) X(op##32_reg, alu)
#define CHAINED_BRANCH(X, op, ...) X(op##64_imm, branch) X(op##64_reg, branch) X(op##32_imm, branch) X(op##32_reg, branch)
#define CHAINED_BRANCHES(F, X) UNIBPF_BRANCH_OPERATIONS(F, X)
#define CHAINED(X)                                                                                                    \
    CHAINED_ALU(X, add) CHAINED_ALU(X, sub) CHAINED_ALU(X, mul) CHAINED_ALU(X, or) CHAINED_ALU(X, and)                \
    CHAINED_ALU(X, lsh) CHAINED_ALU(X, rsh) CHAINED_ALU(X, xor) X(mov64_reg, alu) X(mov32_reg, alu)                   \
    X(be16, endian) X(be32, endian) X(be64, endian) CHAINED_BRANCHES(CHAINED_BRANCH, X)                               \
    X(ldxb, memory) X(ldxh, memory) X(ldxw, memory) X(ldxdw, memory)                                                  \
    X(stxb, memory) X(stxh, memory) X(stxw, memory) X(stxdw, memory)
// clang-format on

constexpr Operation chained_operations[] = {
#define OPERATION(name, ...) Operation::op_##name,
    CHAINED(OPERATION)
#undef OPERATION
};
constexpr std::size_t chained_count = sizeof chained_operations / sizeof chained_operations[0];
static_assert(operation_count + chained_count <= 256, "loaded code has one byte for the operation");

// What a chained instruction takes from the last register.
unsigned chained_register(const Opcode& row, const Instruction& in) {
    const bool takes_src = row.category == Category::load || row.category == Category::store || row.alu == Alu::mov;
    return row.category != Category::branch && row.category != Category::endian && takes_src ? in.src : in.dst;
}

// The register that `last` mirrors after an instruction, if it mirrors `before` in front of it; none: no register.
constexpr unsigned none = register_count;
unsigned mirrored(const Opcode& row, const Instruction& in, unsigned before) {
    if (row.writes_dst()) return in.dst;
    if (row.category == Category::call_helper || row.category == Category::call_local || row.category == Category::jump) return none;
    return (effects_of(in).writes & set_of(before)) != 0 ? none : before;
}

void chain(Instruction& in) {
    for (std::size_t i = 0; i < chained_count; ++i) {
        if (in.opcode == static_cast<std::uint8_t>(chained_operations[i])) {
            in.opcode = static_cast<std::uint8_t>(operation_count + i);
            return;
        }
    }
}

template <Policy policy>
Stop run(Machine& machine, const Start& start) {
    constexpr bool checking = policy == Policy::checking;
    static const void* const labels[operation_count + chained_count] = {
#define LABEL(name, ...) &&do_##name,
        UNIBPF_OPCODES(LABEL)
#undef LABEL
#define LABEL(name, ...) &&chained_##name,
            CHAINED(LABEL)
#undef LABEL
    };

    std::uint64_t r[register_count] = {};
    std::memcpy(&r[1], start.arguments.data(), sizeof start.arguments);
    r[frame_register] = start.frame;
    std::uint64_t last = 0;
    Frame frames[abi::max_frames];
    unsigned depth = 0;
    const Instruction* const code = machine.program.code().data();
    const Instruction* pc = code + start.instruction;
    std::uint64_t left = machine.left;

    const auto stop = [&](Stop why, const char* text, std::uint64_t address = 0) {
        machine.left = left;
        machine.r0 = r[0];
        if (why != Stop::exit) machine.trap = {text, static_cast<std::uint32_t>(pc - code), address};
        return why;
    };
    // False when fewer are left. Where every instruction is counted nothing is charged besides.
    const auto charge = [&](std::uint64_t instructions) {
        if constexpr (checking) return true;
        const bool enough = instructions <= left;
        left -= instructions;
        return enough;
    };

    // What a helper works: taken off in any case.
    const auto spend = [&](std::uint64_t units) {
        const bool enough = units <= left;
        left -= units;
        return enough;
    };

#define DISPATCH()                                                 \
    do {                                                           \
        if constexpr (checking) {                                  \
            if (left-- == 0) return stop(Stop::budget, no_budget); \
        }                                                          \
        goto* labels[pc->opcode];                                  \
    } while (0)
#define NEXT()      \
    do {            \
        ++pc;       \
        DISPATCH(); \
    } while (0)
#define GO(distance)                                                                                  \
    do {                                                                                              \
        const std::int64_t by = (distance);                                                           \
        if (by < 0 && !charge(static_cast<std::uint64_t>(-by))) return stop(Stop::budget, no_budget); \
        pc += 1 + by;                                                                                 \
        DISPATCH();                                                                                   \
    } while (0)
#define CHECK(address, bytes, access)                                                                    \
    do {                                                                                                 \
        if constexpr (checking) {                                                                        \
            if (!bounds::allowed(machine, r[frame_register], (address), (bytes), access)) {              \
                return stop(Stop::fault, "memory access outside what the program may touch", (address)); \
            }                                                                                            \
        }                                                                                                \
    } while (0)

// Bodies, one for each builder of isa.hpp.
#define BODY(name, builder, ...) LABELLED(do_##name, name, builder, false)
#define CHAINED_BODY(name, builder) LABELLED(chained_##name, name, builder, true)
#define LABELLED(label, name, builder, is_chained)                            \
    label: {                                                                  \
        [[maybe_unused]] constexpr auto& row = row_for<Operation::op_##name>; \
        [[maybe_unused]] constexpr bool chained = is_chained;                 \
        [[maybe_unused]] const Instruction& in = *pc;                         \
        BODY_##builder                                                        \
    }
#define SET_DST(value) \
    last = (value);    \
    r[in.dst] = last;  \
    NEXT();
#define DST (chained ? last : r[in.dst])
#define SRC (chained ? last : r[in.src])
#define BODY_alu                                                                \
    if constexpr (row.alu == Alu::mov && row.src_operand) {                     \
        SET_DST(compute<row>(0, SRC))                                           \
    } else {                                                                    \
        SET_DST(compute<row>(DST, row.src_operand ? r[in.src] : immediate(in))) \
    }
#define BODY_move_sx                                                              \
    const std::uint64_t extended = arithmetic::sign_extend(r[in.src], row.bytes); \
    SET_DST(row.width == 32 ? static_cast<std::uint32_t>(extended) : extended)
#define BODY_endian SET_DST(arithmetic::reorder(row.order, DST, row.bytes))
// The loader has put the real value of every form into the two immediates.
#define BODY_load_imm64                                                                                     \
    last = static_cast<std::uint32_t>(in.imm) | std::uint64_t{static_cast<std::uint32_t>(pc[1].imm)} << 32; \
    r[in.dst] = last;                                                                                       \
    ++pc;                                                                                                   \
    NEXT();
#define BODY_memory                                                                                 \
    if constexpr (row.category == Category::load || row.category == Category::load_sx) {            \
        const std::uint64_t address = SRC + offset_of(in);                                          \
        CHECK(address, row.bytes, bounds::Access::read);                                            \
        const std::uint64_t value = read_memory<row.bytes>(address);                                \
        SET_DST(row.category == Category::load ? value : arithmetic::sign_extend(value, row.bytes)) \
    } else {                                                                                        \
        const std::uint64_t address = r[in.dst] + offset_of(in);                                    \
        CHECK(address, row.bytes, bounds::Access::write);                                           \
        write_memory<row.bytes>(address, row.src_operand ? SRC : immediate(in));                    \
        NEXT();                                                                                     \
    }
#define BODY_atomic                                          \
    const std::uint64_t address = r[in.dst] + offset_of(in); \
    CHECK(address, row.bytes, bounds::Access::write);        \
    run_atomic<row>(address, r[in.src], r[0]);               \
    NEXT();
#define BODY_branch                                                                        \
    if (test_branch<row>(DST, row.src_operand ? r[in.src] : immediate(in))) GO(in.offset); \
    NEXT();
#define BODY_control                                                                                      \
    if constexpr (row.category == Category::jump) {                                                       \
        GO(row.opcode == 0x06 ? std::int64_t{in.imm} : std::int64_t{in.offset});                          \
    } else if constexpr (row.category == Category::call_helper) {                                         \
        if constexpr (checking) {                                                                         \
            const HelperArguments arguments = {r[1], r[2], r[3], r[4], r[5]};                             \
            const char* wrong = bounds::wrong_argument(machine, r[frame_register], in.imm, arguments);    \
            if (wrong != nullptr) return stop(Stop::fault, wrong);                                        \
        }                                                                                                 \
        if (in.offset != 0 && !spend(work_of_call(in))) return stop(Stop::budget, no_budget);             \
        if (comes_back_changed(in.imm)) goto call_specially;                                              \
        r[0] = helper_functions[static_cast<std::size_t>(in.imm)](r[1], r[2], r[3], r[4], r[5], machine); \
        NEXT();                                                                                           \
    } else if constexpr (row.category == Category::call_local) {                                          \
        const Function& callee = machine.program.functions()[static_cast<std::size_t>(in.imm)];           \
        if (!charge(callee.length)) return stop(Stop::budget, no_budget);                                 \
        if (r[frame_register] == machine.lowest_frame()) return stop(Stop::fault, no_frame);              \
        Frame& frame = frames[++depth];                                                                   \
        frame.return_to = pc;                                                                             \
        std::memcpy(frame.saved, &r[6], sizeof frame.saved);                                              \
        r[frame_register] -= abi::frame_bytes;                                                            \
        pc = code + callee.start;                                                                         \
        DISPATCH();                                                                                       \
    } else {                                                                                              \
        if (depth == 0) return stop(Stop::exit, "");                                                      \
        const Frame& frame = frames[depth--];                                                             \
        std::memcpy(&r[6], frame.saved, sizeof frame.saved);                                              \
        r[frame_register] += abi::frame_bytes;                                                            \
        pc = frame.return_to;                                                                             \
        NEXT();                                                                                           \
    }

    DISPATCH();
    UNIBPF_OPCODES(BODY)
    CHAINED(CHAINED_BODY)

call_specially:
    machine.left = left;
    machine.frame = r[frame_register];
    r[0] = helper_functions[static_cast<std::size_t>(pc->imm)](r[1], r[2], r[3], r[4], r[5], machine);
    left = machine.left;
    if (machine.stopped) {  // the trap is the callback's, or this call's
        if (machine.trap.instruction == 0) machine.trap.instruction = static_cast<std::uint32_t>(pc - code);
        return machine.callback_stop;
    }
    if (machine.tail_target != no_function) {
        const Function& target = machine.program.function_at(std::exchange(machine.tail_target, no_function));
        if (!charge(target.length)) return stop(Stop::budget, no_budget);
        r[1] = reinterpret_cast<std::uintptr_t>(&machine.context);
        pc = code + target.start;
        DISPATCH();
    }
    NEXT();
}

// CallBack (machine.hpp). The frame of who called the helper is put back: it may call back again.
template <Policy policy>
std::uint64_t call_back(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4) {
    const std::uint64_t frame = machine.frame, length = machine.program.function_at(function).length;
    Stop why = Stop::exit;
    if (frame == machine.lowest_frame()) {
        machine.trap = {no_frame, static_cast<std::uint32_t>(function), 0};
        why = Stop::fault;
    } else if (policy == Policy::trusting && machine.left < length) {
        machine.trap = {no_budget, static_cast<std::uint32_t>(function), 0};
        why = Stop::budget;
    }
    if (policy == Policy::trusting && why != Stop::fault) machine.left -= length;
    if (why == Stop::exit) why = run<policy>(machine, {function, frame - abi::frame_bytes, {r1, r2, r3, r4}});
    machine.frame = frame;
    machine.stopped = why != Stop::exit;
    machine.callback_stop = why;
    return machine.r0;
}

template <Policy policy>
Stop run_from_entry(Machine& machine) {
    machine.left = machine.budget;
    machine.redirect_port = no_port;
    machine.tail_calls = 0;
    machine.call_back = call_back<policy>;
    const Stop why = run<policy>(machine, {0, machine.stack_top(), {reinterpret_cast<std::uintptr_t>(&machine.context)}});
    machine.stopped = false;
    machine.callback_stop = Stop::exit;
    return why;
}

}  // namespace

Status prepare(Program& program) {
    const auto code = program.code_to_prepare();
    auto targets = make_array<std::uint8_t>(code.size());
    if (!targets) return Error{"memory", "the heap has no room to prepare a program", code.size()};
    const auto slots = [&](std::size_t i) { return has_two_slots(code[i]) ? 2U : 1U; };
    for (std::size_t i = 0; i < code.size(); i += slots(i)) {
        if (jumps(code[i])) targets[target_of(code[i], i)] = 1;
    }
    unsigned last = none;
    for (std::size_t i = 0; i < code.size(); i += slots(i)) {
        Instruction& in = code[i];
        const Opcode& row = row_of(in);
        if (targets[i] != 0) last = none;
        const bool chains = chained_register(row, in) == last;
        last = mirrored(row, in, last);
        if (row.category == Category::exit) last = none;  // a function begins
        if (chains) chain(in);  // no row of two slots
    }
    return done();
}

Stop interpret_trusting(Machine& machine) { return run_from_entry<Policy::trusting>(machine); }
Stop interpret_checking(Machine& machine) { return run_from_entry<Policy::checking>(machine); }

}  // namespace unibpf
