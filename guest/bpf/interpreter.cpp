// One algorithm, so one long function: the dispatch loop. Every label body is generated from the opcode table.
#include "guest/bpf/interpreter.hpp"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "guest/bpf/arithmetic.hpp"
#include "guest/bpf/bounds.hpp"
#include "guest/bpf/helpers.hpp"

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
void run_alu(std::uint64_t& dst, std::uint64_t operand) {
    if constexpr (row.width == 64) {
        dst = arithmetic::compute<row.alu, std::uint64_t>(dst, operand);
    } else {
        dst = arithmetic::compute<row.alu, std::uint32_t>(static_cast<std::uint32_t>(dst), static_cast<std::uint32_t>(operand));
    }
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
inline constexpr Opcode row_of = describe(operation);

std::uint64_t immediate(const Instruction& in) { return static_cast<std::uint64_t>(std::int64_t{in.imm}); }
std::uint64_t offset_of(const Instruction& in) { return static_cast<std::uint64_t>(std::int64_t{in.offset}); }

// What a run begins with; a callback's begins in the middle of another.
struct Start {
    std::uint64_t instruction;
    std::uint64_t frame;  // r10
    std::array<std::uint64_t, 4> arguments;
};

// Whether the engine has to do something behind a call of the helper.
bool comes_back_changed(std::int32_t helper) {
    return abi::helpers[static_cast<std::size_t>(helper)].has(abi::tail_calls | abi::calls_back);
}

template <Policy policy>
std::uint64_t call_back(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4);

constexpr const char* no_budget = "instruction budget exceeded";
constexpr const char* no_frame = "calls nest deeper than 8 frames";

template <Policy policy>
Stop run(Machine& machine, const Start& start) {
    constexpr bool checking = policy == Policy::checking;
    static const void* const labels[operation_count] = {
#define LABEL(name, ...) &&do_##name,
        UNIBPF_OPCODES(LABEL)
#undef LABEL
    };

    std::uint64_t r[register_count] = {};
    std::memcpy(&r[1], start.arguments.data(), sizeof start.arguments);
    r[frame_register] = start.frame;
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

#define DISPATCH()                                                                                \
    do {                                                                                          \
        if constexpr (checking) {                                                                 \
            if (left-- == 0) return stop(Stop::budget, no_budget);                                \
        }                                                                                         \
        goto* labels[pc->opcode];                                                                 \
    } while (0)
#define NEXT()      \
    do {            \
        ++pc;       \
        DISPATCH(); \
    } while (0)
#define GO(distance)                                                                                        \
    do {                                                                                                    \
        const std::int64_t by = (distance);                                                                 \
        if (by < 0 && !charge(static_cast<std::uint64_t>(-by))) return stop(Stop::budget, no_budget);        \
        pc += 1 + by;                                                                                       \
        DISPATCH();                                                                                         \
    } while (0)
#define CHECK(address, bytes, access)                                                                       \
    do {                                                                                                    \
        if constexpr (checking) {                                                                           \
            if (!bounds::allowed(machine, r[frame_register], (address), (bytes), access)) {                 \
                return stop(Stop::fault, "memory access outside what the program may touch", (address));    \
            }                                                                                               \
        }                                                                                                   \
    } while (0)

// Bodies, one for each builder of isa.hpp.
#define BODY(name, builder, ...)                                           \
    do_##name : {                                                          \
        [[maybe_unused]] constexpr auto& row = row_of<Operation::op_##name>; \
        [[maybe_unused]] const Instruction& in = *pc;                      \
        BODY_##builder                                                     \
    }
#define BODY_alu                                                        \
    run_alu<row>(r[in.dst], row.src_operand ? r[in.src] : immediate(in)); \
    NEXT();
#define BODY_move_sx                                                       \
    r[in.dst] = arithmetic::sign_extend(r[in.src], row.bytes);             \
    if constexpr (row.width == 32) r[in.dst] = static_cast<std::uint32_t>(r[in.dst]); \
    NEXT();
#define BODY_endian                                                      \
    r[in.dst] = arithmetic::reorder(row.order, r[in.dst], row.bytes);    \
    NEXT();
// The loader has put the real value of every form into the two immediates.
#define BODY_load_imm64                                                                                            \
    r[in.dst] = static_cast<std::uint32_t>(in.imm) | std::uint64_t{static_cast<std::uint32_t>(pc[1].imm)} << 32;   \
    ++pc;                                                                                                          \
    NEXT();
#define BODY_memory                                                                            \
    if constexpr (row.category == Category::load || row.category == Category::load_sx) {      \
        const std::uint64_t address = r[in.src] + offset_of(in);                               \
        CHECK(address, row.bytes, bounds::Access::read);                                       \
        const std::uint64_t value = read_memory<row.bytes>(address);                           \
        r[in.dst] = row.category == Category::load ? value : arithmetic::sign_extend(value, row.bytes); \
    } else {                                                                                   \
        const std::uint64_t address = r[in.dst] + offset_of(in);                               \
        CHECK(address, row.bytes, bounds::Access::write);                                      \
        write_memory<row.bytes>(address, row.src_operand ? r[in.src] : immediate(in));         \
    }                                                                                          \
    NEXT();
#define BODY_atomic                                                \
    const std::uint64_t address = r[in.dst] + offset_of(in);       \
    CHECK(address, row.bytes, bounds::Access::write);              \
    run_atomic<row>(address, r[in.src], r[0]);                     \
    NEXT();
#define BODY_branch                                                                            \
    if (test_branch<row>(r[in.dst], row.src_operand ? r[in.src] : immediate(in))) GO(in.offset); \
    NEXT();
#define BODY_control                                                                                        \
    if constexpr (row.category == Category::jump) {                                                         \
        GO(row.opcode == 0x06 ? std::int64_t{in.imm} : std::int64_t{in.offset});                            \
    } else if constexpr (row.category == Category::call_helper) {                                           \
        if constexpr (checking) {                                                                           \
            const HelperArguments arguments = {r[1], r[2], r[3], r[4], r[5]};                               \
            const char* wrong = bounds::wrong_argument(machine, r[frame_register], in.imm, arguments);      \
            if (wrong != nullptr) return stop(Stop::fault, wrong);                                          \
        }                                                                                                   \
        if (comes_back_changed(in.imm)) goto call_specially;                                                \
        r[0] = helper_functions[static_cast<std::size_t>(in.imm)](r[1], r[2], r[3], r[4], r[5], machine);    \
        NEXT();                                                                                             \
    } else if constexpr (row.category == Category::call_local) {                                            \
        const Function& callee = machine.program.functions()[static_cast<std::size_t>(in.imm)];             \
        if (!charge(callee.length)) return stop(Stop::budget, no_budget);                                   \
        if (r[frame_register] == machine.lowest_frame()) return stop(Stop::fault, no_frame);                \
        Frame& frame = frames[++depth];                                                                     \
        frame.return_to = pc;                                                                               \
        std::memcpy(frame.saved, &r[6], sizeof frame.saved);                                                \
        r[frame_register] -= abi::frame_bytes;                                                              \
        pc = code + callee.start;                                                                           \
        DISPATCH();                                                                                         \
    } else {                                                                                                \
        if (depth == 0) return stop(Stop::exit, "");                                                        \
        const Frame& frame = frames[depth--];                                                               \
        std::memcpy(&r[6], frame.saved, sizeof frame.saved);                                                \
        r[frame_register] += abi::frame_bytes;                                                              \
        pc = frame.return_to;                                                                               \
        NEXT();                                                                                             \
    }

    DISPATCH();
    UNIBPF_OPCODES(BODY)

call_specially:
    machine.left = left;
    machine.frame = r[frame_register];
    r[0] = helper_functions[static_cast<std::size_t>(pc->imm)](r[1], r[2], r[3], r[4], r[5], machine);
    left = machine.left;
    if (machine.stopped) return machine.callback_stop;  // the trap is the callback's
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

Stop interpret_trusting(Machine& machine) { return run_from_entry<Policy::trusting>(machine); }
Stop interpret_checking(Machine& machine) { return run_from_entry<Policy::checking>(machine); }

}  // namespace unibpf
