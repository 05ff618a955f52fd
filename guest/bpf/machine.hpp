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
        context.data_meta = context.data;
    }
    std::uint64_t stack_top() const { return reinterpret_cast<std::uintptr_t>(stack) + sizeof stack; }

    const Program& program;
    Packet& packet;
    const std::uint64_t budget;    // instructions
    std::uint64_t executed = 0;    // trusting: an upper bound, counted at back-edges, calls and returns; checking: exact
    Trap trap{};
};

}  // namespace unibpf
