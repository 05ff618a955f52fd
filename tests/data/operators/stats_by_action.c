// One place that counts and returns, indices from the action.
#include "common.h"
struct stat { __u64 packets, bytes; };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 5); __type(key, __u32); __type(value, struct stat); } stats SEC(".maps");
static __always_inline int leave(struct xdp_md *ctx, __u32 action) {
    if (action > XDP_REDIRECT) return XDP_ABORTED;
    struct stat *s = bpf_map_lookup_elem(&stats, &action);
    if (!s) return XDP_ABORTED;
    s->packets++;
    s->bytes += ctx->data_end - ctx->data;
    return action;
}
SEC("xdp") int stats_by_action(struct xdp_md *ctx) {
    __u32 action = XDP_PASS;
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return leave(ctx, XDP_DROP);
    if (eth->h_dest[0] & 1) action = XDP_DROP;
    if (eth->h_proto == bpf_htons(ETH_P_ARP)) action = XDP_TX;
    return leave(ctx, action);
}
