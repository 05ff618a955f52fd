#include "guest/bpf/isolated.hpp"

#include <algorithm>
#include <new>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/bpf/jit/compiler.hpp"

namespace unibpf {

// On pages of the element's key: written by its programs.
struct IsolatedRuns::Scratch {
    std::size_t at = 0;  // the packet whose run goes on
    std::array<Ended, Batch::most_packets> ended;
    alignas(Packet) std::byte packets[Batch::most_packets * sizeof(Packet)];

    // Sound: run() has put a copy there for each packet of the order.
    Packet& packet(std::size_t index) { return *std::launder(reinterpret_cast<Packet*>(packets + index * sizeof(Packet))); }
};

namespace {

static_assert(platform::program_keys <= 16);
std::uint16_t keys_taken = 0;  // bit i: key first_program + i

platform::PageKey key_number(unsigned index) {
    return static_cast<platform::PageKey>(static_cast<unsigned>(platform::PageKey::first_program) + index);
}
unsigned index_of(platform::PageKey key) {
    return static_cast<unsigned>(key) - static_cast<unsigned>(platform::PageKey::first_program);
}

}  // namespace

Result<Owned<IsolatedRuns>> IsolatedRuns::create() {
    const std::string_view missing = platform::isolation_enable();
    if (!missing.empty()) return Error{"isolation", missing.data()};
    if (!platform::set_page_key(PacketPool::system().slots(), platform::PageKey::common)) return Error{"memory", "memory for page tables"};
    unsigned free = 0;
    while (free < platform::program_keys && (keys_taken >> free & 1) != 0) ++free;
    if (free == platform::program_keys) return Error{"isolation", "a protection key, and 13 elements have taken all"};
    auto runs = make<IsolatedRuns>(key_number(free));
    if (!runs) return Error{"memory", "memory for its runs"};
    keys_taken = static_cast<std::uint16_t>(keys_taken | 1u << free);
    const Heap::OnPages pages{runs->key_};
    runs->scratch_ = make<Scratch>();
    if (!runs->scratch_) return Error{"memory", "memory for its runs"};
    return runs;
}

IsolatedRuns::IsolatedRuns(platform::PageKey key) : key_{key} {}

IsolatedRuns::~IsolatedRuns() { keys_taken = static_cast<std::uint16_t>(keys_taken & ~(1u << index_of(key_))); }

bool IsolatedRuns::any() { return keys_taken != 0; }

// On the program stack, with the program's rights.
void IsolatedRuns::run_order(void* argument) {
    const Order& order = *static_cast<const Order*>(argument);
    Scratch& scratch = *order.scratch;
    const bool native = static_cast<bool>(order.program->native());
    Machine machine{*order.program, scratch.packet(order.first), order.budget};
    for (std::size_t i = order.first; i < order.size; ++i) {
        scratch.at = i;
        if (i != order.first) machine.begin(scratch.packet(i));
        const Stop stop = native ? jit::run(machine) : interpret_trusting(machine);
        scratch.ended[i] = {stop, static_cast<std::uint32_t>(machine.r0), machine.redirect_port};
    }
}

std::size_t IsolatedRuns::run(const Program& program, std::uint64_t budget, Batch& batch, std::size_t first, std::span<Ended> ended) {
    Scratch& scratch = *scratch_;
    for (std::size_t i = first; i < batch.size(); ++i) new (scratch.packets + i * sizeof(Packet)) Packet{batch[i]};
    order_ = {.program = &program, .budget = budget, .first = first, .size = batch.size(), .scratch = &scratch};
    const bool whole = platform::run_isolated(key_, run_order, &order_);
    const std::size_t stopped = whole ? batch.size() : std::clamp(scratch.at, first, batch.size() - 1);
    for (std::size_t i = first; i < stopped; ++i) {
        ended[i] = scratch.ended[i];
        const bool known = ended[i].stop == Stop::exit || ended[i].stop == Stop::budget;
        if (!known || !batch[i].take_frame(scratch.packet(i))) ended[i] = {};
    }
    if (whole) return stopped;
    ended[stopped] = {};
    return stopped + 1;
}

}  // namespace unibpf
