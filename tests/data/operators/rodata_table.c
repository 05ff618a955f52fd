// A constant table indexed by masked packet bytes.
#include "common.h"
static const volatile __u8 action[64] = {2, 1, 2, 1, 2, 2, 2, 1};
const volatile __u32 limit = 32;
SEC("xdp") int rodata_table(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    if (data + 64 > end) return XDP_DROP;
    __u8 *p = data;
    __u32 sum = 0;
#pragma clang loop unroll(disable)
    for (__u32 i = 0; i < limit && i < 64; i++) sum += p[i];
    return action[(sum ^ p[12]) & 63];
}
