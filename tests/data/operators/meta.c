// Passes a mark in the metadata in front of the packet.
#include "common.h"
struct mark { __u32 mark, hash; };
SEC("xdp") int meta(struct xdp_md *ctx) {
    if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct mark))) return XDP_ABORTED;
    void *data = BEGIN(ctx), *end = END(ctx);
    struct mark *mark = (void *)(long)ctx->data_meta;
    if ((void *)(mark + 1) > data) return XDP_ABORTED;
    mark->mark = 42;
    mark->hash = 7;
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    return XDP_PASS;
}
