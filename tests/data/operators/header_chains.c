// Chains of headers that say how long they are: what is read lies before the end that was tested.
#include "common.h"

// The last byte of each says what follows.
FILTER int last_byte_names_the_next(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx), next = 1;
    for (int i = 0; i < 4 && next; i++) {
        if (at + 1 > end) return XDP_DROP;
        __u32 bytes = at[0] * 4;
        if (bytes < 4 || at + bytes > end) return XDP_DROP;
        next = at[bytes - 1];
        at += bytes;
    }
    return next ? XDP_DROP : XDP_PASS;
}

// A trailer of two bytes; the length is in network order.
FILTER int trailer(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx) + 14, *end = END(ctx);
    __u32 sum = 0;
    for (int i = 0; i < 8; i++) {
        if (at + 4 > end) break;
        __u32 bytes = bpf_ntohs(*(__u16 *)at);
        if (bytes < 4 || bytes > 1500) return XDP_DROP;
        __u8 *past = at + bytes;
        if (past > end) return XDP_DROP;
        sum += *(__u16 *)(past - 2);
        at = past;
    }
    return sum == 7 ? XDP_DROP : XDP_PASS;
}

// Records of a type, a length and a value (as options of IPv6 and attributes of STUN are), padded to four bytes.
FILTER int padded_attributes(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx) + 42, *end = END(ctx);
    for (int i = 0; i < 10; i++) {
        if (at + 4 > end) return XDP_PASS;
        __u32 type = at[0] << 8 | at[1], bytes = at[2] << 8 | at[3];
        if (bytes > 512) return XDP_DROP;
        __u32 padded = (bytes + 3) & ~3u;
        if (at + 4 + padded > end) return XDP_DROP;
        if (type == 0x20 && bytes == 8) return at[4] == 0 && at[11] == 1 ? XDP_DROP : XDP_PASS;
        at += 4 + padded;
    }
    return XDP_DROP;
}

// What is left of the packet by the complement of a pointer, as compilers write `end - at - 1`.
FILTER int left_by_complement(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 1 > end) return XDP_PASS;
    __u64 bytes = *at, last = (__u64)end, first = (__u64)at;
    asm volatile("%0 ^= -1" : "+r"(first));
    last += first;
    if (last <= bytes) return XDP_PASS;
    return at[bytes] ? XDP_DROP : XDP_PASS;
}
