#include "guest/elements/bpf/bpf_filter.hpp"

namespace unibpf {

constinit const ElementClass BPFFilter::kClass{
    "BPFFilter", "1/1-256", "h/h", "PROGRAM [, ENGINE, ISOLATION]", "runs an eBPF program that passes or drops packets", kBpfHandlers,
    kActionReasons, create_element<BPFFilter>, true};

}  // namespace unibpf
