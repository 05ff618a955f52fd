// One algorithm, so one long function: the dispatch loop. Every label body is generated from the opcode table.
#include "guest/bpf/interpreter.hpp"

#include <cstring>
#include <type_traits>

#include "guest/bpf/arithmetic.hpp"
#include "guest/bpf/bounds.hpp"
#include "guest/bpf/helpers.hpp"

namespace unibpf {
namespace {

// What a call has to bring back: RFC 9669 2.2, r6-r9 are callee saved and r10 is the caller's frame.
struct Frame {
    const Instruction* return_to;
    const Instruction* entered_at;
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

template <Policy policy>
Stop run(Machine& machine) {
    constexpr bool checking = policy == Policy::checking;
    static const void* const labels[operation_count] = {
#define LABEL(name, ...) &&do_##name,
        UNIBPF_OPCODES(LABEL)
#undef LABEL
    };

    std::uint64_t r[register_count] = {};
    r[1] = reinterpret_cast<std::uintptr_t>(&machine.context);
    r[frame_register] = machine.stack_top();
    Frame frames[abi::max_frames];
    unsigned depth = 0;
    const Instruction* const code = machine.program.code().data();
    const Instruction* pc = code;
    frames[0].entered_at = code;
    std::uint64_t executed = 0;
    const std::uint64_t budget = machine.budget;

    const auto stop = [&](Stop why, const char* text, std::uint64_t address = 0) {
        machine.executed = executed;
        machine.r0 = r[0];
        machine.trap = {text, static_cast<std::uint32_t>(pc - code), address};
        return why;
    };
    // Number of instructions that may have run since the last charge on this straight line.
    const auto charge = [&](std::int64_t distance) {
        if constexpr (checking) return false;
        executed += static_cast<std::uint64_t>(distance);
        return executed > budget;
    };

#define DISPATCH()                                                                                \
    do {                                                                                          \
        if constexpr (checking) {                                                                 \
            if (++executed > budget) return stop(Stop::budget, "instruction budget exceeded");    \
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
        if (by < 0 && charge(-by)) return stop(Stop::budget, "instruction budget exceeded");                \
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
        if (charge(1)) return stop(Stop::budget, "instruction budget exceeded");                            \
        r[0] = helper_functions[static_cast<std::size_t>(in.imm)](r[1], r[2], r[3], r[4], r[5], machine);    \
        NEXT();                                                                                             \
    } else if constexpr (row.category == Category::call_local) {                                            \
        if (++depth == abi::max_frames) return stop(Stop::fault, "calls nest deeper than 8 frames");        \
        if (charge(1)) return stop(Stop::budget, "instruction budget exceeded");                            \
        Frame& frame = frames[depth];                                                                       \
        frame.return_to = pc;                                                                               \
        std::memcpy(frame.saved, &r[6], sizeof frame.saved);                                                \
        r[frame_register] -= abi::frame_bytes;                                                              \
        pc += 1 + std::int64_t{in.imm};                                                                     \
        frame.entered_at = pc;                                                                              \
        DISPATCH();                                                                                         \
    } else {                                                                                                \
        const Frame& frame = frames[depth];                                                                 \
        if (charge(pc - frame.entered_at + 1)) return stop(Stop::budget, "instruction budget exceeded");    \
        if (depth == 0) return stop(Stop::exit, "");                                                        \
        --depth;                                                                                            \
        std::memcpy(&r[6], frame.saved, sizeof frame.saved);                                                \
        r[frame_register] += abi::frame_bytes;                                                              \
        pc = frame.return_to;                                                                               \
        NEXT();                                                                                             \
    }

    DISPATCH();
    UNIBPF_OPCODES(BODY)
}

}  // namespace

Stop interpret_trusting(Machine& machine) { return run<Policy::trusting>(machine); }
Stop interpret_checking(Machine& machine) { return run<Policy::checking>(machine); }

}  // namespace unibpf
