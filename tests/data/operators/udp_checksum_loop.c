// A UDP checksum over the whole payload, at most an Ethernet frame.
#include "common.h"
SEC("xdp") int udp_checksum_loop(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    if ((void *)(udp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return XDP_PASS;
    __u16 *at = (__u16 *)udp;
    __u64 sum = bpf_htons(IPPROTO_UDP) + udp->len + (ip->saddr & 0xffff) + (ip->saddr >> 16) + (ip->daddr & 0xffff) + (ip->daddr >> 16);
#pragma clang loop unroll(disable)
    for (int i = 0; i < 740; i++) {
        if ((void *)(at + 1) > end) break;
        sum += *at;
        at++;
    }
    if ((void *)at + 1 <= end) sum += *(__u8 *)at;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum == 0 ? XDP_PASS : XDP_DROP;
}
