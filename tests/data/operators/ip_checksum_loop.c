// The IP header's checksum over a variable IHL, by words.
#include "common.h"
SEC("xdp") int ip_checksum_loop(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl < 5) return XDP_PASS;
    if ((void *)ip + ip->ihl * 4 > end) return XDP_DROP;
    __u16 *word = (void *)ip;
    __u32 sum = 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 30; i++) {
        if (i >= ip->ihl * 2) break;
        if ((void *)(word + 1) > end) return XDP_DROP;
        sum += *word++;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff ? XDP_PASS : XDP_DROP;
}
