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

// The part that native code reaches by offset.
struct MachineCore {
    std::uint64_t budget;          // instructions a run may be charged
    std::uint64_t left;            // of it; below zero, so huge, after a stop by the budget
    std::uint64_t native_stack;    // JIT: where to unwind to when the program is stopped
    abi::XdpMd context{};
    // Indeterminate at the start: the verifier proves that nothing is read before it is written.
    alignas(16) std::uint8_t stack[abi::max_stack_bytes];
};

// The packet of this run; another one with each.
class PacketOnHand {
  public:
    explicit PacketOnHand(Packet& packet) : packet_{&packet} {}
    operator Packet&() const { return *packet_; }

  private:
    Packet* packet_;
};

// Made once for many runs of one program; begin() before each but the first.
struct Machine : MachineCore {
    Machine(const Program& running, Packet& on, std::uint64_t limit) : MachineCore{.budget = limit, .left = limit}, program{running}, packet{on} {
        begin(on);
    }

    void begin(Packet& on) {
        packet = PacketOnHand{on};
        context.ingress_ifindex = on.input_nic;
        refresh_context();
    }

    // After anything that moved the packet's head or tail. Sound: packet memory lies below 4 GiB (platform::alloc_region), so a
    // 32-bit field holds its address whole.
    void refresh_context() {
        Packet& on = packet;
        context.data = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(on.data()));
        context.data_end = context.data + on.length();
        context.data_meta = context.data;
    }
    std::uint64_t stack_top() const { return reinterpret_cast<std::uintptr_t>(stack) + sizeof stack; }
    // Of the last run. Trusting: what was charged, at jumps backwards and calls; checking: every instruction.
    std::uint64_t executed() const { return budget - left; }

    const Program& program;
    PacketOnHand packet;
    std::uint64_t r0 = 0;
    Trap trap{};                   // of the last run that was stopped
};

}  // namespace unibpf
