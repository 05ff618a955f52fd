// Walks IPv6 extension headers to the transport header.
#include "common.h"
struct ext { __u8 next, len; };
SEC("xdp") int ipv6_extensions(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct ipv6hdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6)) return XDP_PASS;
    __u8 next = ip->nexthdr;
    void *at = ip + 1;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 8; i++) {
        struct ext *e = at;
        if ((void *)(e + 1) > end) return XDP_DROP;
        switch (next) {
        case 0: case 43: case 60: next = e->next; at += (e->len + 1) * 8; break;
        case 44: next = e->next; at += 8; break;
        case 51: next = e->next; at += (e->len + 2) * 4; break;
        case IPPROTO_TCP: {
            struct tcphdr *tcp = at;
            if ((void *)(tcp + 1) > end) return XDP_DROP;
            return tcp->syn && tcp->fin ? XDP_DROP : XDP_PASS;
        }
        case IPPROTO_UDP: {
            struct udphdr *udp = at;
            if ((void *)(udp + 1) > end) return XDP_DROP;
            return udp->dest == bpf_htons(53) ? XDP_PASS : XDP_DROP;
        }
        default: return XDP_PASS;
        }
    }
    return XDP_DROP;
}
