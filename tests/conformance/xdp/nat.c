// Rewrites addresses and mends the IP checksum by bpf_csum_diff; a subprogram does the folding.
#include "common.h"

static __attribute__((noinline)) __u16 fold(__u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

SEC("unibpf/rewriter")
int nat(struct xdp_md *ctx) {
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > END(ctx)) return XDP_DROP;
    __be32 before[2] = {ip->saddr, ip->daddr};
    __be32 after[2] = {bpf_htonl(0x0a000001), ip->daddr ^ bpf_htonl(0x00ff00ff)};
    __u32 sum = bpf_csum_diff(before, sizeof before, after, sizeof after, (__u16)~ip->check);
    ip->saddr = after[0];
    ip->daddr = after[1];
    ip->check = ~fold(sum);
    ip->ttl--;
    for (int i = 0; i < ETH_ALEN; i++) {
        __u8 byte = eth->h_source[i];
        eth->h_source[i] = eth->h_dest[i];
        eth->h_dest[i] = byte;
    }
    return XDP_TX;
}

char _license[] SEC("license") = "GPL";
