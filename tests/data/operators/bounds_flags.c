// The answer of a bounds check is kept as a number and tested later, at an offset that the packet chooses.
#include "common.h"

#define OPAQUE(x) asm volatile("" : "+r"(x))

// An error number, from a function that the compiler inlines and cannot see through.
INLINE int outside(struct xdp_md *ctx, __u32 offset, __u32 bytes) {
    int answer = BEGIN(ctx) + offset + bytes > END(ctx) ? -22 : 0;
    OPAQUE(answer);
    return answer;
}

FILTER int port_after_options(struct xdp_md *ctx) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    __u32 offset = 14 + (ip->ihl << 2);
    if (outside(ctx, offset, sizeof(struct udphdr))) return XDP_DROP;
    struct udphdr *udp = BEGIN(ctx) + offset;
    return udp->dest == bpf_htons(53) ? XDP_DROP : XDP_PASS;
}

// The pointer is made before the test, the answer is a bool.
FILTER int flag_before_use(struct xdp_md *ctx) {
    void *end = END(ctx);
    __u8 *begin = BEGIN(ctx);
    if (begin + 15 > (__u8 *)end) return XDP_PASS;
    __u8 *option = begin + 15 + begin[14];
    bool fits = (void *)(option + 2) <= end;
    OPAQUE(fits);
    __u32 queue = ctx->rx_queue_index;
    if (queue > 8) return XDP_PASS;
    return fits && option[1] == 7 ? XDP_DROP : XDP_PASS;
}

// Two checks, two flags, tested in the other order.
FILTER int two_flags(struct xdp_md *ctx) {
    __u8 *begin = BEGIN(ctx), *end = END(ctx);
    if (begin + 20 > end) return XDP_PASS;
    __u8 *first = begin + 20 + (begin[0] & 0x3c), *second = begin + 20 + (begin[1] & 0x7f);
    long has_first = first + 4 <= end ? 1 : 0, has_second = second + 8 <= end ? 1 : 0;
    OPAQUE(has_first);
    OPAQUE(has_second);
    __u32 sum = 0;
    if (has_second) sum += *(__u32 *)second;
    if (has_first) sum += *(__u16 *)first;
    return sum == 77 ? XDP_DROP : XDP_PASS;
}

// What a parser's steps answer: the header's type, or a negative number.
struct cursor {
    void *at, *end;
};
INLINE int next_header(struct cursor *cursor, __u32 bytes) {
    if (cursor->at + bytes > cursor->end) return -1;
    __u8 *header = cursor->at;
    cursor->at += bytes;
    return header[0];
}

FILTER int parser_of_steps(struct xdp_md *ctx) {
    struct cursor cursor = {BEGIN(ctx) + 14, END(ctx)};
    struct iphdr *ip = cursor.at;
    if ((void *)(ip + 1) > cursor.end) return XDP_PASS;
    __u32 bytes = ip->ihl * 4;
    if (bytes < sizeof *ip) return XDP_DROP;
    int version = next_header(&cursor, bytes);
    OPAQUE(version);
    if (version < 0) return XDP_DROP;
    struct udphdr *udp = cursor.at;
    int type = next_header(&cursor, sizeof *udp);
    OPAQUE(type);
    if (type < 0) return XDP_DROP;
    return udp->dest == bpf_htons(4789) ? XDP_DROP : XDP_PASS;
}
