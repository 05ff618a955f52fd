#include "guest/run/load.hpp"

#include <unistd.h>

#include <cstring>

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

PacketPtr packet_of(const Bytes& bytes) {
    PacketPtr packet = PacketPool::system().acquire();
    packet->put(static_cast<std::uint16_t>(bytes.size()));
    std::memcpy(packet->data(), bytes.data(), bytes.size());
    return packet;
}

std::FILE* separate_output_from_console() {
    std::FILE* output = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return output;
}

}  // namespace unibpf::run
