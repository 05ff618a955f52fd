// Parsing split over functions that are not inlined, with a cursor on the stack.
#include "common.h"
struct cursor { void *at, *end; };
static __attribute__((noinline)) int parse_eth(struct cursor *c, __be16 *proto) {
    struct ethhdr *eth = c->at;
    if ((void *)(eth + 1) > c->end) return -1;
    *proto = eth->h_proto;
    c->at = eth + 1;
    return 0;
}
static __attribute__((noinline)) int parse_ip(struct cursor *c, __u8 *proto) {
    struct iphdr *ip = c->at;
    if ((void *)(ip + 1) > c->end) return -1;
    *proto = ip->protocol;
    c->at = (void *)ip + ip->ihl * 4;
    return ip->ihl;
}
SEC("xdp") int subprograms_spilled(struct xdp_md *ctx) {
    struct cursor c = {BEGIN(ctx), END(ctx)};
    __be16 ether = 0;
    __u8 proto = 0;
    if (parse_eth(&c, &ether) < 0) return XDP_DROP;
    if (ether != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if (parse_ip(&c, &proto) < 5) return XDP_DROP;
    struct udphdr *udp = c.at;
    if ((void *)(udp + 1) > c.end) return XDP_DROP;
    return udp->dest == bpf_htons(9) ? XDP_DROP : XDP_PASS;
}
