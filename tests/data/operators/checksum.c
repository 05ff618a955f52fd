// Checksums over bytes whose number is known only when the packet comes.
#include "common.h"

INLINE __u16 fold(__u64 sum) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

// Words of the whole payload, an index against a constant.
FILTER int sum_by_index(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u16 *word = data + 34;
    __u32 sum = 0;
    for (int i = 0; i < 733; i++) {
        if ((void *)(word + i + 1) > end) break;
        sum += word[i];
    }
    return fold(sum) ? XDP_DROP : XDP_PASS;
}

FILTER int sum_by_pointer(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u16 *word = data + sizeof(struct ethhdr);
    __u64 sum = 0;
    int i;
    for (i = 0; i < 750; i++) {
        if ((void *)(word + 1) > end) break;
        sum += *word++;
    }
    if ((void *)word + 1 <= end) sum += *(__u8 *)word;
    return fold(sum) == 0xffff ? XDP_DROP : XDP_PASS;
}

// A length from the header, counted down.
FILTER int sum_counted_down(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > end) return XDP_PASS;
    int left = ip->ihl * 4;
    __u16 *word = (void *)ip;
    __u32 sum = 0;
    while (left > 1) {
        if ((void *)(word + 1) > end) return XDP_DROP;
        sum += *word++;
        left -= 2;
    }
    return fold(sum) ? XDP_DROP : XDP_PASS;
}

FILTER int sum_of_header(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > end) return XDP_PASS;
    __u32 bytes = ip->ihl * 4;
    if (bytes < sizeof *ip || bytes > 60 || (void *)ip + bytes > end) return XDP_DROP;
    __s64 sum = bpf_csum_diff(0, 0, (__be32 *)ip, sizeof *ip, 0);
    return fold(sum) ? XDP_DROP : XDP_PASS;
}

// The helper over a variable number of words.
FILTER int sum_of_options(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + sizeof(struct ethhdr);
    if ((void *)ip + 60 > end) return XDP_PASS;
    __u32 bytes = (ip->ihl & 15) * 4;
    if (bytes < 20) return XDP_DROP;
    return fold(bpf_csum_diff(0, 0, (__be32 *)ip, bytes, 0)) ? XDP_DROP : XDP_PASS;
}

// 8 bytes a step; the tail byte by byte.
FILTER int sum_in_strides(struct xdp_md *ctx) {
    void *p = BEGIN(ctx), *end = END(ctx);
    __u64 sum = 0;
    for (int i = 0; i < 190; i++) {
        if (p + 8 > end) break;
        __u64 word = *(__u64 *)p;
        sum += (word & 0xffffffff) + (word >> 32);
        p += 8;
    }
    for (int i = 0; i < 7; i++) {
        if (p + 1 > end) break;
        sum += *(__u8 *)p;
        p++;
    }
    return sum % 7 ? XDP_PASS : XDP_DROP;
}

// Length of UDP from its header, clamped to what the packet has.
FILTER int sum_of_udp(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct udphdr *udp = data + 34;
    if ((void *)(udp + 1) > end) return XDP_PASS;
    __u32 length = bpf_ntohs(udp->len);
    if (length > 1480) return XDP_DROP;
    __u32 sum = 0;
    __u8 *byte = (void *)udp;
    for (__u32 i = 0; i < length && i < 1480; i += 2) {
        if ((void *)(byte + i + 2) > end) break;
        sum += byte[i] << 8 | byte[i + 1];
    }
    return fold(sum) == 0 ? XDP_PASS : XDP_DROP;
}
