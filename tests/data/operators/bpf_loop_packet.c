// Reads packet bytes inside a callback, through the context.
#include "common.h"
struct state { struct xdp_md *ctx; __u64 sum; };
static long add(__u32 index, void *argument) {
    struct state *s = argument;
    void *data = BEGIN(s->ctx), *end = END(s->ctx);
    if (index >= 1500) return 1;
    __u8 *at = data + index;
    if ((void *)(at + 1) > end) return 1;
    s->sum += *at;
    return 0;
}
SEC("xdp") int bpf_loop_packet(struct xdp_md *ctx) {
    struct state s = {.ctx = ctx};
    bpf_loop(1500, add, &s, 0);
    return s.sum & 1 ? XDP_PASS : XDP_DROP;
}
