// Moves head and tail both ways and writes what it finds there.
#include "common.h"

SEC("unibpf/rewriter")
int resize(struct xdp_md *ctx) {
    unsigned char *data = BEGIN(ctx);
    if ((void *)(data + 16) > END(ctx)) return XDP_DROP;
    int head = (signed char)data[14] / 2;
    int tail = (signed char)data[15] / 4;
    long first = bpf_xdp_adjust_head(ctx, head);
    long second = bpf_xdp_adjust_tail(ctx, tail);
    data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    // New bytes at the head are indeterminate: all that could be new and fits is overwritten.
    for (int i = 0; i < 64; i++) {
        if ((void *)(data + i + 1) > END(ctx)) break;
        data[i] = i + first - second;
    }
    return first ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "GPL";
