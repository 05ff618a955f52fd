// Neighbours of ../header_flags.c: the flag is set where the header was not tested, or the other header is read.
#include "../common.h"

#define OPAQUE(x) asm volatile("" : "+r"(x))

FILTER int flag_set_too_early(struct xdp_md *ctx) {
    struct ethhdr *ethernet = BEGIN(ctx);
    void *end = END(ctx);
    if ((void *)(ethernet + 1) > end) return XDP_DROP;
    struct iphdr *ip = NULL;
    __u32 has_ip = 0;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        has_ip = 1;
        struct iphdr *candidate = (void *)(ethernet + 1);
        if ((void *)(candidate + 1) <= end) ip = candidate;
    }
    OPAQUE(has_ip);
    OPAQUE(ip);
    if (has_ip && ip->ttl < 2) return XDP_DROP;
    return XDP_PASS;
}

FILTER int flag_of_another_header(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 34 > end) return XDP_DROP;
    struct udphdr *udp = NULL;
    struct tcphdr *tcp = NULL;
    __u32 has_udp = 0, has_tcp = 0;
    if (at[23] == IPPROTO_UDP) {
        udp = (void *)at + 34;
        if ((void *)(udp + 1) > (void *)end) return XDP_DROP;
        has_udp = 1;
    } else if (at[23] == IPPROTO_TCP) {
        tcp = (void *)at + 34;
        if ((void *)(tcp + 1) > (void *)end) return XDP_DROP;
        has_tcp = 1;
    }
    OPAQUE(has_udp);
    OPAQUE(has_tcp);
    OPAQUE(udp);
    OPAQUE(tcp);
    if (has_tcp) return udp->dest == 7 ? XDP_DROP : XDP_PASS;
    if (has_udp) return tcp->dest == 7 ? XDP_DROP : XDP_PASS;
    return XDP_PASS;
}

FILTER int tested_upside_down(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 34 > end) return XDP_DROP;
    struct udphdr *udp = NULL;
    __u32 has_udp = 0;
    if (at[23] == IPPROTO_UDP) {
        udp = (void *)at + 14 + (at[14] & 15) * 4;
        if ((void *)(udp + 1) > (void *)end) return XDP_DROP;
        has_udp = 1;
    }
    OPAQUE(has_udp);
    OPAQUE(udp);
    if (!has_udp) return udp->dest == 7 ? XDP_DROP : XDP_PASS;
    return XDP_PASS;
}
