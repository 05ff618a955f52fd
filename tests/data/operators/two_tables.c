// One look-up for either family, which the compiler may merge.
#include "common.h"
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, __u32); __type(value, __u64); } ins SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, __u32); __type(value, __u64); } outs SEC(".maps");
SEC("xdp") int two_tables(struct xdp_md *ctx) {
    __u32 key = ctx->rx_queue_index;
    __u64 *v;
    if (ctx->ingress_ifindex == 1) v = bpf_map_lookup_elem(&ins, &key);
    else v = bpf_map_lookup_elem(&outs, &key);
    if (!v) return XDP_PASS;
    *v += 1;
    return *v > 100 ? XDP_DROP : XDP_PASS;
}
