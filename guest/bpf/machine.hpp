// Machine: the state of one run of one program on one packet; what helpers see and what both engines work on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "guest/bpf/abi.hpp"
#include "guest/bpf/program.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

enum class Stop : std::uint8_t { exit = 0, budget = 1, fault = 2 };

// Why a run was stopped; `text` is static.
struct Trap {
    const char* text = "";
    std::uint32_t instruction = 0;
    std::uint64_t address = 0;
};

struct Machine;

// How a helper runs a function of the program: in the engine that called the helper, one frame below the caller's. Returns its
// r0. When `machine.stopped` is set afterwards (budget or fault inside it), the helper returns at once and the run stops.
using CallBack = std::uint64_t (*)(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3,
                                   std::uint64_t r4);
inline constexpr std::uint32_t no_port = UINT32_MAX;
inline constexpr std::uint32_t no_function = UINT32_MAX;

// The part that native code reaches by offset.
struct MachineCore {
    std::int64_t left;              // JIT: instructions left of the budget
    std::uint64_t native_stack;     // JIT: where to unwind to when the program is stopped
    Machine* machine;               // JIT: for helpers
    std::uint64_t r0 = 0;
    abi::XdpMd context;
    // Indeterminate at the start: the verifier proves that nothing is read before it is written.
    alignas(16) std::uint8_t stack[abi::max_stack_bytes];
};

struct Machine : MachineCore {
    Machine(const Program& running, Packet& on, std::uint64_t limit) : program{running}, packet{on}, budget{limit} {
        context.ingress_ifindex = on.input_nic;
        context.rx_queue_index = 0;
        context.egress_ifindex = 0;
        refresh_context();
    }

    // After anything that moved the packet's head or tail. Sound: packet memory lies below 4 GiB (platform::alloc_region), so a
    // 32-bit field holds its address whole.
    void refresh_context() {
        context.data = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(packet.data()));
        context.data_end = context.data + packet.length();
        context.data_meta = context.data - packet.metadata();
    }
    std::uint64_t stack_top() const { return reinterpret_cast<std::uintptr_t>(stack) + sizeof stack; }

    const Program& program;
    Packet& packet;
    const std::uint64_t budget;    // instructions
    std::uint64_t executed = 0;    // trusting: an upper bound, counted at back-edges, calls and returns; checking: exact
    Trap trap{};
    std::uint32_t redirect_port = no_port;  // of the last bpf_redirect or bpf_redirect_map
    // bpf_tail_call: the instruction at which the engine goes on instead of returning; it takes the number and sets no_function.
    std::uint32_t tail_target = no_function;
    std::uint32_t tail_calls = 0;           // made in this run
    CallBack call_back = nullptr;           // set by the engine
    bool stopped = false;                   // a callback was stopped
    std::uint32_t element_key = 0;          // bpf_for_each_map_elem on an array: the key that its callback may read
};

}  // namespace unibpf
