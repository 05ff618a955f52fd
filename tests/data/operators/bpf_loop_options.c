// A cursor that a callback moves, checked once after the loop.
#include "common.h"
struct small { __u32 offset, stop; __u16 mss, found; };
static long option(__u32 index, void *argument) {
    struct small *w = argument;
    if (w->offset >= w->stop) return 1;
    w->offset += 1 + (index & 3);
    w->found = w->offset > 20;
    return w->found;
}
SEC("xdp") int bpf_loop_options(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct small w = {.offset = 0, .stop = end - data};
    long rounds = bpf_loop(40, option, &w, 0);
    if (rounds < 0) return XDP_ABORTED;
    if (data + 64 > end) return XDP_DROP;
    if (w.offset < 60) return ((__u8 *)data)[w.offset] ? XDP_PASS : XDP_DROP;
    return XDP_PASS;
}
