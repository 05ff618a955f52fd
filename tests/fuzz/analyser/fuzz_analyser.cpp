// Any bytes as a bundle, analysed: no crash, no hang, and a verdict that means something.
//
// What must hold: the sanitizers are silent; a program that is called safe is one that the guest's loader accepts; every finding
// names an instruction of the program, and so does its slice; the limit of time ends the analysis.
#include <cstdlib>
#include <ctime>

#include "guest/bpf/bundle/decode.hpp"
#include "guest/bpf/bundle/validate.hpp"
#include "services/verifier/native/report/report.hpp"

using namespace unibpf;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static BundleView view;
    static ProgramShape shape;
    // The analyser counts the time of its process, which here has analysed other programs before.
    const double now = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    const auto report = analyser::examine({data, size}, {.max_seconds = now + 0.5, .invariants = size % 2 == 0, .graph = size % 3 == 0});
    const bool loads = decode_bundle({data, size}, view).ok() && validate_program(view, shape).ok();
    if (report.verdict == analyser::Verdict::safe && !loads) std::abort();
    if (report.verdict != analyser::Verdict::safe && report.findings.empty()) std::abort();
    for (const auto& finding : report.findings) {
        for (const auto& step : finding.slice) {
            if (step.instruction >= report.instructions || step.text.empty()) std::abort();
        }
        if (finding.instruction != 0 && finding.instruction >= report.instructions && report.verdict != analyser::Verdict::unsupported) std::abort();
    }
    return 0;
}
