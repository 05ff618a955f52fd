// Loops that count down or end by !=.
#include "common.h"
SEC("xdp") int counted_down(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u8 *at = data;
    __u32 left = (end - data) & 0x3f, sum = 0;
#pragma clang loop unroll(disable)
    while (left-- > 0) {
        if ((void *)(at + 1) > end) break;
        sum += *at++;
    }
    __u8 *p = data;
    if (data + 40 > end) return XDP_DROP;
#pragma clang loop unroll(disable)
    for (int i = 0; i != 40; i += 4) sum += p[i];
    return sum & 1;
}
