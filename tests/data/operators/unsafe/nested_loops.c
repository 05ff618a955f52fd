// Neighbours of ../nested_loops.c: the length was tested from a byte too early, or each round takes more than was tested.
#include "../common.h"

FILTER int tested_a_byte_too_early(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_PASS;
    __u64 left = *at;
    __u32 sum = 0;
    if (left == 0 || (__u64)(end - at) < left) return XDP_PASS;
    at++;
    do {
        sum = sum * 31 + *at++;
        asm volatile("" : "+r"(at), "+r"(left));
    } while (--left);
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

FILTER int two_bytes_a_round(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_PASS;
    __u64 left = *at++;
    __u32 sum = 0;
    if (left == 0 || (__u64)(end - at) < left) return XDP_PASS;
    do {
        sum = sum * 31 + *at;
        at += 2;
        asm volatile("" : "+r"(at), "+r"(left));
    } while (--left);
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

FILTER int one_round_too_many(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_PASS;
    __s64 left = *at++;
    __u32 sum = 0;
    if (end - at < left) return XDP_PASS;
    do {
        sum = sum * 31 + *at++;
        asm volatile("" : "+r"(at), "+r"(left));
    } while (--left >= 0);
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

// The complement of another pointer.
FILTER int length_beyond_another_pointer(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 9 > end) return XDP_PASS;
    __u64 left = *at, first = (__u64)at, last = (__u64)end;
    asm volatile("%0 ^= -1" : "+r"(first));
    last += first;  // end - at - 1
    at += 8;
    if (last <= left) return XDP_PASS;
    return at[left] ? XDP_DROP : XDP_PASS;
}
