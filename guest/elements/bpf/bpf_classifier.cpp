#include "guest/elements/bpf/bpf_classifier.hpp"

#include "guest/graph/router.hpp"

namespace unibpf {

constinit const ElementClass BPFClassifier::class_row{
    "BPFClassifier", "1/-", "h/h", "PROGRAM [, OUTPUTS] [, ENGINE, ISOLATION]", "runs an eBPF program that chooses an output", bpf_handlers,
    reason_list<DropReason::no_program, DropReason::aborted, DropReason::budget, DropReason::no_port>,
    create_element<BPFClassifier>, true};

void BPFClassifier::configure(Args& args) {
    std::uint32_t count = outputs();
    args.keyword("OUTPUTS", count);
    if (count < outputs() || count > max_ports) args.error("got OUTPUTS ", count, ", expected ", outputs(), " to ", max_ports);
    else set_program_outputs(count);
    BpfElement::configure(args);
}

}  // namespace unibpf
