// A dispatcher by protocol, with tail calls; libbpf fills the array by .values.
#include "common.h"
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 4); __array(values, int (void *)); } next SEC(".maps");
SEC("xdp") int dispatcher(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    switch (eth->h_proto) {
    case bpf_htons(ETH_P_IP): bpf_tail_call(ctx, &next, 0); break;
    case bpf_htons(ETH_P_IPV6): bpf_tail_call(ctx, &next, 1); break;
    }
    return XDP_PASS;
}
