#include "guest/elements/bpf/bpf_rewriter.hpp"

namespace unibpf {

constinit const ElementClass BPFRewriter::kClass{
    "BPFRewriter", "1/1-256", "h/h", "PROGRAM [, ENGINE, ISOLATION]", "runs an eBPF program that changes packets", kBpfHandlers,
    kActionReasons, create_element<BPFRewriter>, true};

}  // namespace unibpf
