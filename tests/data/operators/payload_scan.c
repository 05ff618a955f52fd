// Looks for a byte pattern in the payload with a nested loop.
#include "common.h"
static const char pattern[4] = {'e', 'v', 'i', 'l'};
SEC("xdp") int payload_scan(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
#pragma clang loop unroll(disable)
    for (__u32 i = 0; i < 256; i++) {
        char *at = data + i;
        if ((void *)(at + 4) > end) break;
        int same = 0;
#pragma clang loop unroll(full)
        for (int k = 0; k < 4; k++) same += at[k] == pattern[k];
        if (same == 4) return XDP_DROP;
    }
    return XDP_PASS;
}
