// Interrupt descriptor table, task state segment (for its interrupt stacks), and what happens on an exception.
#include <array>

#include "guest/core/format.hpp"
#include "guest/platform/gate.hpp"
#include "guest/platform/x86/cpu.hpp"
#include "guest/platform/pvh/pvh.hpp"
#include "guest/platform/slice.hpp"
#include "guest/platform/x86/x86.hpp"

extern "C" {
extern char exception_entries[], slice_entry[], wake_entry[], spurious_entry[];
extern std::uint64_t gdt_tss[2];
}

namespace unibpf::platform {
namespace {

constexpr std::uint16_t code_segment = 0x08, task_segment = 0x18;
constexpr std::uint8_t slice_stack_number = 1, exception_stack_number = 2;  // interrupt stack table

// AMD64 manual volume 2, 8.2.
constexpr std::array<std::string_view, 22> trap_names = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode", "no device", "double fault", "", "invalid TSS",
    "segment not present", "stack fault", "general protection", "page fault", "", "x87 error", "alignment", "machine check", "SIMD error",
    "", "control protection"};

struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0;
    std::uint64_t rsp[3];
    std::uint64_t reserved1;
    std::uint64_t ist[7];
    std::uint64_t reserved2;
    std::uint16_t reserved3, io_map;
};
static_assert(sizeof(TaskState) == 104);

struct Gate {
    std::uint16_t offset_low, segment;
    std::uint8_t stack, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    std::uint64_t base;
};

std::array<Gate, 256> gates;
TaskState task_state;
alignas(16) std::array<std::byte, 1024> slice_stack;
// Where a program that runs isolated may write, because the CPU writes there with its rights.
alignas(16) UNIBPF_PROGRAM_STATE std::array<std::byte, 8192> exception_stack;

// What a program can bring about ends its run and nothing else: all but NMI, double fault and machine check.
constexpr std::uint64_t faults_of_programs = 0xffff'ffff & ~(1ull << 2 | 1ull << 8 | 1ull << 18);

void set_gate(unsigned vector, const char* entry, std::uint8_t stack) {
    const auto at = reinterpret_cast<std::uint64_t>(entry);
    gates[vector] = {static_cast<std::uint16_t>(at), code_segment, stack, 0x8e, static_cast<std::uint16_t>(at >> 16),
                     static_cast<std::uint32_t>(at >> 32), 0};
}

void load_task_state() {
    task_state.ist[slice_stack_number - 1] = reinterpret_cast<std::uint64_t>(slice_stack.data() + slice_stack.size());
    task_state.ist[exception_stack_number - 1] = reinterpret_cast<std::uint64_t>(exception_stack.data() + exception_stack.size());
    task_state.io_map = sizeof task_state;
    const auto base = reinterpret_cast<std::uint64_t>(&task_state);
    // AMD64 manual volume 2, 4.8.3: type 9 is an available 64-bit TSS.
    gdt_tss[0] = (sizeof task_state - 1) | (base & 0xff'ffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt_tss[1] = base >> 32;
    asm volatile("ltr %0" : : "r"(task_segment));
}

}  // namespace

// As traps.S pushes it.
struct ExceptionFrame {
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    std::uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern "C" void pvh_exception(const ExceptionFrame& frame) {
    if (x86::end_isolation() && (faults_of_programs >> frame.vector & 1) != 0) gate::end_by_fault();
    static bool inside = false;
    if (inside) power_off(1);  // the report itself faulted
    inside = true;
    TextBuffer<1024> text;
    text.text("unibpf exception ").number(frame.vector);
    if (frame.vector < trap_names.size()) text.text(" (").text(trap_names[frame.vector]).text(")");
    const struct {
        std::string_view name;
        std::uint64_t value;
    } registers[] = {{"error", frame.error}, {"address", cpu::fault_address()}, {"rip", frame.rip}, {"rsp", frame.rsp}, {"rflags", frame.rflags}, {"rax", frame.rax}, {"rbx", frame.rbx}, {"rcx", frame.rcx}, {"rdx", frame.rdx}, {"rsi", frame.rsi}, {"rdi", frame.rdi}, {"rbp", frame.rbp}, {"r8", frame.r8}, {"r9", frame.r9}, {"r10", frame.r10}, {"r11", frame.r11}, {"r12", frame.r12}, {"r13", frame.r13}, {"r14", frame.r14}, {"r15", frame.r15}};
    unsigned column = 0;
    for (const auto& one : registers) text.text(column++ % 4 == 0 ? "\n  " : "  ").text(one.name).text("=").hex(one.value, 16);
    text.text("\n");
    console_write(text.view());
    panic("exception");
}

extern "C" void pvh_slice_timer() {
    cpu::device32(0xfee0'00b0) = 0;  // end of interrupt, before the stacks may switch
    slice_expired();
}

namespace pvh {

void install_traps() {
    for (unsigned vector = 0; vector < 32; ++vector) set_gate(vector, exception_entries + 16 * vector, exception_stack_number);
    set_gate(slice_vector, slice_entry, slice_stack_number);
    set_gate(wake_vector, wake_entry, 0);
    set_gate(spurious_vector, spurious_entry, 0);
    load_task_state();
    const TablePointer pointer{sizeof gates - 1, reinterpret_cast<std::uint64_t>(gates.data())};
    asm volatile("lidt %0" : : "m"(pointer));
}

}  // namespace pvh
}  // namespace unibpf::platform
