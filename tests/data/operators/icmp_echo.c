// Answers pings in place.
#include "common.h"
SEC("xdp") int icmp_echo(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct icmphdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_ICMP || icmp->type != 8) return XDP_PASS;
    __u8 mac[6];
    __builtin_memcpy(mac, eth->h_dest, 6);
    __builtin_memcpy(eth->h_dest, eth->h_source, 6);
    __builtin_memcpy(eth->h_source, mac, 6);
    __be32 a = ip->saddr; ip->saddr = ip->daddr; ip->daddr = a;
    icmp->type = 0;
    __u32 sum = icmp->checksum + bpf_htons(0x0800);
    icmp->checksum = sum + (sum >> 16);
    return XDP_TX;
}
