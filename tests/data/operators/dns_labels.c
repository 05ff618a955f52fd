// Walks DNS labels by their lengths.
#include "common.h"
struct dns { __be16 id, flags, qd, an, ns, ar; };
SEC("xdp") int dns_labels(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct dns *dns = (void *)(udp + 1);
    if ((void *)(dns + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl != 5) return XDP_PASS;
    __u8 *at = (__u8 *)(dns + 1);
    int labels = 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 32; i++) {
        if ((void *)(at + 1) > end) return XDP_DROP;
        __u8 length = *at;
        if (length == 0) break;
        if (length > 63) return XDP_DROP;
        at += length + 1;
        labels++;
    }
    if ((void *)at + 5 > end) return XDP_DROP;
    __be16 type = *(__be16 *)(at + 1);
    return type == bpf_htons(255) || labels > 10 ? XDP_DROP : XDP_PASS;
}
