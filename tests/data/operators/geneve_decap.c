// Strips a GENEVE header with options of variable length.
#include "common.h"
struct geneve { __u8 ver_len, flags; __be16 proto; __u8 vni[3], rsvd; };
SEC("xdp") int geneve_decap(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP || ip->ihl != 5) return XDP_PASS;
    struct udphdr *udp = (void *)(ip + 1);
    struct geneve *g = (void *)(udp + 1);
    if ((void *)(g + 1) > end || udp->dest != bpf_htons(6081)) return XDP_PASS;
    __u32 options = (g->ver_len & 0x3f) * 4;
    void *inner = (void *)(g + 1) + options;
    if (inner + sizeof(struct ethhdr) > end) return XDP_DROP;
    struct ethhdr *ie = inner;
    if (ie->h_proto == bpf_htons(ETH_P_ARP)) return XDP_DROP;
    int strip = inner - data;
    if (bpf_xdp_adjust_head(ctx, strip)) return XDP_DROP;
    return XDP_PASS;
}
