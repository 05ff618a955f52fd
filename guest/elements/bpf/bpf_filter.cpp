#include "guest/elements/bpf/bpf_filter.hpp"

namespace unibpf {

constinit const ElementClass BPFFilter::class_row{
    "BPFFilter", "1/1-256", "h/h", "PROGRAM [, ENGINE, ISOLATION]", "runs an eBPF program that passes or drops packets", bpf_handlers,
    action_reasons, create_element<BPFFilter>, true};

}  // namespace unibpf
