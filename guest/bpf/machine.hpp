// Machine: the state of one run of one program on one packet; what helpers see and what both engines work on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/cost.hpp"
#include "guest/bpf/program.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

// The verifier and its checker bound loops over a packet by it.
static_assert(Packet::slot_bytes <= abi::largest_packet);

enum class Stop : std::uint32_t { exit = 0,
                                  budget = 1,
                                  fault = 2 };

// Why a run was stopped; `text` is static.
struct Trap {
    const char* text = "";
    std::uint32_t instruction = 0;
    std::uint64_t address = 0;
};

struct Machine;

// How a helper runs the function of the program that starts at instruction `function`: in the engine that called the helper, one frame below the caller's. Returns its
// r0. When `machine.stopped` is set afterwards (budget or fault inside it), the helper returns at once and the run stops.
using CallBack = std::uint64_t (*)(Machine& machine, std::uint64_t function, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3,
                                   std::uint64_t r4);
inline constexpr std::uint32_t no_port = UINT32_MAX;
inline constexpr std::uint32_t no_function = UINT32_MAX;

// The part that native code reaches by offset.
struct MachineCore {
    explicit MachineCore(std::uint64_t limit) : budget{limit}, left{limit} {}

    const std::uint64_t budget;           // instructions that a run may be charged
    std::uint64_t left;                   // of it; wraps below zero when the budget ends a run
    std::uint64_t native_stack = 0;       // JIT: where to unwind to when the program is stopped
    std::uint64_t frame = 0;              // r10 of the code that called a helper which may call back
    CallBack call_back = nullptr;         // set by the engine
    // bpf_tail_call: the instruction at which the engine goes on instead of returning; it takes the number and sets no_function.
    std::uint32_t tail_target = no_function;
    std::uint32_t tail_calls = 0;           // made in this run; the engine begins with 0
    std::uint32_t redirect_port = no_port;  // of the last bpf_redirect or bpf_redirect_map; the engine begins with no_port
    Stop callback_stop = Stop::exit;        // why a callback was stopped
    abi::XdpMd context{};
    // Indeterminate at the start: the verifier proves that nothing is read before it is written.
    alignas(16) std::uint8_t stack[abi::max_stack_bytes];
};

// The packet of this run; another one with each.
class PacketOnHand {
  public:
    explicit PacketOnHand(Packet& packet) : packet_{&packet} {}
    operator Packet&() const { return *packet_; }
    Packet* operator->() const { return packet_; }

  private:
    Packet* packet_;
};

// Made once for many runs of one program: begin() before each but the first. What begins anew with a run is set there if any
// program may look at it, else by the engine for the programs that may.
struct Machine : MachineCore {
    Machine(const Program& running, Packet& on, std::uint64_t limit) : MachineCore{limit}, program{running}, packet{on} { begin(on); }

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
        context.data_end = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(on.end()));
        context.data_meta = context.data - on.metadata();
    }
    std::uint64_t stack_top() const { return reinterpret_cast<std::uintptr_t>(stack) + sizeof stack; }
    // r10 of the deepest frame: what it calls would lie below the stack.
    std::uint64_t lowest_frame() const { return reinterpret_cast<std::uintptr_t>(stack) + abi::frame_bytes; }
    // What a helper is about to do, taken off the budget before it is done. False: there is too little left, and the run is stopped
    // when the helper returns, which it does at once.
    bool afford(abi::cost::Units units) {
        const bool enough = units <= left;
        left -= units;
        if (!enough) [[unlikely]] {
            trap = {"instruction budget exceeded", 0, 0};
            callback_stop = Stop::budget;
            stopped = true;
        }
        return enough;
    }
    // Of the last run. Trusting: what was charged, at jumps backwards and for functions that are called; checking: every instruction.
    std::uint64_t executed() const { return budget - left; }

    const Program& program;
    PacketOnHand packet;
    std::uint64_t r0 = 0;
    bool stopped = false;          // a callback or a helper was stopped, by callback_stop
    Trap trap{};                   // of the last run that was stopped
    std::uint32_t element_key = 0; // bpf_for_each_map_elem on an array: the key that its callback may read
};

}  // namespace unibpf
