// Cuts a packet that is too long and turns it into an ICMP error.
#include "common.h"
SEC("xdp") int icmp_too_big(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    int length = end - data;
    if (length <= 600) return XDP_PASS;
    if (bpf_xdp_adjust_tail(ctx, 98 - length)) return XDP_DROP;
    if (bpf_xdp_adjust_head(ctx, -28)) return XDP_DROP;
    data = BEGIN(ctx); end = END(ctx);
    struct ethhdr *eth = data, *old = data + 28;
    struct iphdr *ip = (void *)(eth + 1);
    struct icmphdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > end || (void *)(old + 1) > end) return XDP_DROP;
    __builtin_memcpy(eth->h_dest, old->h_source, 6);
    __builtin_memcpy(eth->h_source, old->h_dest, 6);
    eth->h_proto = old->h_proto;
    icmp->type = 3; icmp->code = 4; icmp->checksum = 0; icmp->unused = 0; icmp->mtu = bpf_htons(600);
    void *from = icmp;
    if (from + 64 > end) return XDP_DROP;
    __s64 sum = bpf_csum_diff(0, 0, from, 64, 0);
    sum = (sum & 0xffff) + (sum >> 16);
    icmp->checksum = ~sum;
    return XDP_TX;
}
