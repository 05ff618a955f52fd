// Nested loops with constant bounds that lengths in the packet end early; one pointer goes through all of them.
#include "common.h"

FILTER int three_deep(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    __u32 sum = 0;
    for (int i = 0; i < 100; i++) {
        if (at + 1 > end) break;
        __u8 groups = *at++;
        for (int j = 0; j < 60; j++) {
            if (j >= groups) break;
            if (at + 1 > end) return XDP_DROP;
            __u8 items = *at++;
            for (int k = 0; k < 40; k++) {
                if (k >= items) break;
                if (at + 1 > end) return XDP_DROP;
                sum += *at++;
            }
        }
    }
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

FILTER int two_deep(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx) + 14, *end = END(ctx);
    __u32 sum = 0;
    for (int i = 0; i < 64; i++) {
        if (at + 2 > end) break;
        __u32 type = at[0], bytes = at[1];
        at += 2;
        for (__u32 j = 0; j < 255 && j < bytes; j++) {
            if (at + 1 > end) return XDP_DROP;
            sum = sum * 31 + *at++;
        }
        if (type == 255) break;
    }
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

FILTER int words_in_records(struct xdp_md *ctx) {
    void *at = BEGIN(ctx), *end = END(ctx);
    __u64 sum = 0;
    for (int i = 0; i < 32; i++) {
        if (at + 4 > end) return XDP_PASS;
        __u32 words = *(__u16 *)at & 31;
        if (!words) break;
        at += 4;
        for (__u32 j = 0; j < words; j++) {
            if (at + 4 > end) return XDP_DROP;
            sum += *(__u32 *)at;
            at += 4;
        }
    }
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

// The length is tested against what is left of the packet, once, before the loop.
FILTER int tested_before_the_loop(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_PASS;
    __u64 left = *at++;
    __u32 sum = 0;
    if (left == 0 || (__u64)(end - at) < left) return XDP_PASS;
    do {
        sum ^= *at++;
        asm volatile("" : "+r"(at), "+r"(left));
    } while (--left);
    return sum & 1 ? XDP_DROP : XDP_PASS;
}
