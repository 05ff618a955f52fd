#include "guest/run/load_costs.hpp"

#include <algorithm>
#include <chrono>

#include "guest/bpf/jit/compiler.hpp"

namespace unibpf::run {
namespace {

struct Cost {
    double decode_ns = 1e18, maps_ns = 1e18, link_ns = 1e18, compile_ns = 1e18;
    std::size_t instructions = 0, code_bytes = 0, map_bytes = 0, native_bytes = 0;
};

// Runs a step, keeps its time if it is the shortest so far; returns the heap's bytes that it took.
template <typename Step>
Result<std::size_t> timed(double& shortest, Step step) {
    const std::size_t used = Heap::system().used();
    const auto start = std::chrono::steady_clock::now();
    TRY(step());
    shortest = std::min(shortest, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    return Heap::system().used() - used;
}

Status load_once(const Bytes& bytes, Cost& cost) {
    static BundleView view;
    static ProgramShape shape;
    static MapReport report;
    Owned<Program> program;
    NativeCode native;
    TRY(timed(cost.decode_ns, [&]() -> Status {
        TRY(decode_bundle(bytes, view));
        return validate_program(view, shape);
    }));
    Loader loader{view};
    cost.map_bytes = TRY(timed(cost.maps_ns, [&] { return loader.build_maps({}, nullptr, report); }));
    cost.code_bytes = TRY(timed(cost.link_ns, [&]() -> Status {
        program = TRY(loader.link(shape));
        return done();
    }));
    TRY(timed(cost.compile_ns, [&]() -> Status {
        native = TRY(jit::compile(program->code(), shape));
        return done();
    }));
    cost.instructions = program->code().size();
    cost.native_bytes = native.code().size();
    return done();
}

}  // namespace

Result<std::string> measure_load_costs(const Bytes& bundle, std::uint64_t times) {
    Cost cost;
    for (std::uint64_t i = 0; i < times; ++i) TRY(load_once(bundle, cost));
    const auto field = [](const char* name, double value) { return "\"" + std::string{name} + "\":" + std::to_string(static_cast<std::uint64_t>(value)); };
    return "{" + field("instructions", static_cast<double>(cost.instructions)) + "," + field("decode_ns", cost.decode_ns) + "," +
           field("maps_ns", cost.maps_ns) + "," + field("link_ns", cost.link_ns) + "," + field("compile_ns", cost.compile_ns) + "," +
           field("code_bytes", static_cast<double>(cost.code_bytes)) + "," + field("native_bytes", static_cast<double>(cost.native_bytes)) + "," +
           field("map_bytes", static_cast<double>(cost.map_bytes)) + "}\n";
}

}  // namespace unibpf::run
