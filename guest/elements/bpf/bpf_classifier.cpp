#include "guest/elements/bpf/bpf_classifier.hpp"

#include "guest/graph/router.hpp"

namespace unibpf {

constinit const ElementClass BPFClassifier::kClass{
    "BPFClassifier", "1/-", "h/h", "PROGRAM [, OUTPUTS] [, ENGINE, ISOLATION]", "runs an eBPF program that chooses an output", kBpfHandlers,
    kReasons<DropReason::no_program, DropReason::aborted, DropReason::budget, DropReason::no_port>,
    create_element<BPFClassifier>, true};

void BPFClassifier::configure(Args& args) {
    std::uint32_t count = outputs();
    args.keyword("OUTPUTS", count);
    if (count < outputs() || count > kMaxPorts) args.error("got OUTPUTS ", count, ", expected ", outputs(), " to ", kMaxPorts);
    else set_program_outputs(count);
    BpfElement::configure(args);
}

}  // namespace unibpf
