// Any bytes as a bundle, analysed: no crash, no hang, and a verdict that means something.
//
// What must hold: the sanitizers are silent; a program that is called safe is one that the guest's loader accepts; every finding
// names an instruction of the program.
#include <cstdlib>

#include "guest/bpf/decode.hpp"
#include "services/verifier/native/report.hpp"

using namespace unibpf;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static BundleView view;
    static ProgramShape shape;
    const auto report = analyser::examine({data, size}, {.max_seconds = 1e9});
    const bool loads = decode_bundle({data, size}, view).ok() && validate_program(view, shape).ok();
    if (report.verdict == analyser::Verdict::safe && !loads) std::abort();
    if (report.verdict != analyser::Verdict::safe && report.findings.empty()) std::abort();
    for (const auto& finding : report.findings) {
        if (finding.instruction != 0 && finding.instruction >= report.instructions && report.verdict != analyser::Verdict::unsupported) std::abort();
    }
    return 0;
}
