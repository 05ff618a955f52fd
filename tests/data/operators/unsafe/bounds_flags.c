// Neighbours of ../bounds_flags.c: the flag is about fewer bytes, another offset, or was tested the wrong way round.
#include "../common.h"

#define OPAQUE(x) asm volatile("" : "+r"(x))

FILTER int fewer_bytes(struct xdp_md *ctx) {
    __u8 *begin = BEGIN(ctx), *end = END(ctx);
    if (begin + 15 > end) return XDP_PASS;
    __u8 *option = begin + 15 + begin[14];
    int bad = option + 2 > end ? -22 : 0;
    OPAQUE(bad);
    if (bad) return XDP_DROP;
    return option[2] == 7 ? XDP_DROP : XDP_PASS;
}

FILTER int another_offset(struct xdp_md *ctx) {
    __u8 *begin = BEGIN(ctx), *end = END(ctx);
    if (begin + 16 > end) return XDP_PASS;
    __u8 *first = begin + 16 + begin[14], *second = begin + 16 + begin[15];
    int bad = first + 2 > end ? -22 : 0;
    OPAQUE(bad);
    if (bad) return XDP_DROP;
    return second[1] == 7 ? XDP_DROP : XDP_PASS;
}

FILTER int wrong_way_round(struct xdp_md *ctx) {
    __u8 *begin = BEGIN(ctx), *end = END(ctx);
    if (begin + 15 > end) return XDP_PASS;
    __u8 *option = begin + 15 + begin[14];
    int bad = option + 2 > end ? -22 : 0;
    OPAQUE(bad);
    if (!bad) return XDP_DROP;
    return option[1] == 7 ? XDP_DROP : XDP_PASS;
}

// One of two flags, used for both.
FILTER int either_flag(struct xdp_md *ctx) {
    __u8 *begin = BEGIN(ctx), *end = END(ctx);
    if (begin + 20 > end) return XDP_PASS;
    __u8 *first = begin + 20 + (begin[0] & 0x3c), *second = begin + 20 + (begin[1] & 0x7f);
    long has_first = first + 4 <= end ? 1 : 0, has_second = second + 8 <= end ? 1 : 0;
    OPAQUE(has_first);
    OPAQUE(has_second);
    if (has_first | has_second) return *(__u32 *)second == 77 ? XDP_DROP : XDP_PASS;
    return XDP_PASS;
}
