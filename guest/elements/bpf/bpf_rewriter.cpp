#include "guest/elements/bpf/bpf_rewriter.hpp"

namespace unibpf {

constinit const ElementClass BPFRewriter::class_row{
    "BPFRewriter", "1/1-256", "h/h", "PROGRAM [, ENGINE, ISOLATION]", "runs an eBPF program that changes packets", bpf_handlers,
    action_reasons, create_element<BPFRewriter>, true};

}  // namespace unibpf
