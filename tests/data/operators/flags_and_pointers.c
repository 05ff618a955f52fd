// A header pointer that is valid where a flag says so.
#include "common.h"
SEC("xdp") int flags_and_pointers(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    struct iphdr *ip = 0;
    struct ipv6hdr *ip6 = 0;
    __u8 proto = 0;
    void *l4 = 0;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        ip = (void *)(eth + 1);
        if ((void *)(ip + 1) > end) return XDP_DROP;
        proto = ip->protocol; l4 = (void *)ip + ip->ihl * 4;
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        ip6 = (void *)(eth + 1);
        if ((void *)(ip6 + 1) > end) return XDP_DROP;
        proto = ip6->nexthdr; l4 = ip6 + 1;
    } else return XDP_PASS;
    struct tcphdr *tcp = 0;
    struct udphdr *udp = 0;
    if (proto == IPPROTO_TCP) { tcp = l4; if ((void *)(tcp + 1) > end) return XDP_DROP; }
    else if (proto == IPPROTO_UDP) { udp = l4; if ((void *)(udp + 1) > end) return XDP_DROP; }
    __u32 random = bpf_get_prandom_u32();
    if (ip && ip->ttl < (random & 3)) return XDP_DROP;
    if (ip6 && ip6->hop_limit < 2) return XDP_DROP;
    if (tcp && tcp->syn && (random & 1)) return XDP_DROP;
    if (udp && udp->len == 0) return XDP_DROP;
    return XDP_PASS;
}
