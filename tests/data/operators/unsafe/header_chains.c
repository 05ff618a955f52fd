// Neighbours of ../header_chains.c: a length of nothing, a byte after the last, a trailer of more than was tested.
#include "../common.h"

FILTER int length_of_nothing(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_DROP;
    __u32 bytes = at[0] * 4;
    if (at + bytes > end) return XDP_DROP;
    return at[(int)bytes - 1] ? XDP_DROP : XDP_PASS;
}

FILTER int byte_after_the_last(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx), next = 1;
    for (int i = 0; i < 4 && next; i++) {
        if (at + 1 > end) return XDP_DROP;
        __u32 bytes = at[0] * 4;
        if (bytes < 4 || at + bytes > end) return XDP_DROP;
        next = at[bytes];
        at += bytes;
    }
    return next ? XDP_DROP : XDP_PASS;
}

FILTER int trailer_before_the_packet(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 4 > end) return XDP_DROP;
    __u32 bytes = bpf_ntohs(*(__u16 *)at);
    if (bytes > 1500) return XDP_DROP;
    __u8 *past = at + bytes;
    if (past > end) return XDP_DROP;
    return *(__u16 *)(past - 2) ? XDP_DROP : XDP_PASS;
}
