#include "guest/run/load.hpp"

#include <cstring>

#include "guest/bpf/interpreter/interpreter.hpp"

namespace unibpf::run {

Result<Owned<Program>> load(const BundleView& view, bool native, jit::Guard guard) {
    static ProgramShape shape;
    static MapReport report;
    TRY(validate_program(view, shape));
    Loader loader{view};
    TRY(loader.build_maps({}, nullptr, report));
    Owned<Program> program = TRY(loader.link(shape));
    if (!native) TRY(prepare(*program));
    else program->set_native(TRY(jit::compile(program->code(), shape, jit::Features::of_this_cpu(), guard)));
    return program;
}

PacketPtr packet_of(std::span<const std::uint8_t> bytes) {
    PacketPtr packet = PacketPool::system().acquire();
    if (!packet) return packet;
    packet->put(static_cast<std::uint16_t>(bytes.size()));
    if (!bytes.empty()) std::memcpy(packet->data(), bytes.data(), bytes.size());
    return packet;
}

}  // namespace unibpf::run
