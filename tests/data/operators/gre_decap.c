// Decapsulates GRE with optional checksum, key and sequence fields.
#include "common.h"
struct gre { __be16 flags, proto; };
SEC("xdp") int gre_decap(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_GRE || ip->ihl < 5) return XDP_PASS;
    struct gre *gre = (void *)ip + ip->ihl * 4;
    if ((void *)(gre + 1) > end) return XDP_DROP;
    int outer = ip->ihl * 4 + sizeof(*gre);
    __u16 flags = bpf_ntohs(gre->flags);
    if (flags & 0x8000) outer += 4;
    if (flags & 0x2000) outer += 4;
    if (flags & 0x1000) outer += 4;
    __be16 proto = gre->proto;
    struct ethhdr saved = *eth;
    if (bpf_xdp_adjust_head(ctx, outer)) return XDP_DROP;
    data = BEGIN(ctx); end = END(ctx);
    eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    __builtin_memcpy(eth, &saved, sizeof(saved));
    eth->h_proto = proto;
    return XDP_PASS;
}
