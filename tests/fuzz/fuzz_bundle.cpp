// Any bytes as a bundle: decode, validate, load, run under the checking policy.
//
// What must hold: nothing reads or writes outside its memory (the sanitizers say so), a run ends within its budget, and whatever
// was built is given back.
#include <cstdlib>
#include <cstring>

#include "guest/bpf/interpreter/interpreter.hpp"

using namespace unibpf;

namespace {

void run(const Program& program) {
    PacketPtr packet = PacketPool::system().acquire();
    if (!packet || !packet->put(64)) std::abort();
    std::memset(packet->data(), 0x45, 64);
    Machine machine{program, *packet, 5000};
    std::memset(machine.stack, 0, sizeof machine.stack);
    const Stop stop = interpret(machine, Policy::checking);
    if (stop != Stop::budget && machine.executed() > machine.budget) std::abort();
}

void load_and_run(const BundleView& view, const ProgramShape& shape) {
    static MapReport report;
    Loader loader{view};
    if (!loader.build_maps({}, nullptr, report).ok()) return;
    const auto program = loader.link(shape);
    if (program.ok()) run(*program.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static BundleView view;
    static ProgramShape shape;
    const std::size_t used = Heap::system().used();
    if (decode_bundle({data, size}, view).ok() && validate_program(view, shape).ok()) load_and_run(view, shape);
    if (Heap::system().used() != used) std::abort();
    return 0;
}
