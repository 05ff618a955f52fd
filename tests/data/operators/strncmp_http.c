// Recognises HTTP methods at the start of the payload.
#include "common.h"
SEC("xdp") int strncmp_http(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_TCP) return XDP_PASS;
    __u32 doff = tcp->doff * 4;
    if (doff < 20) return XDP_DROP;
    char *payload = (void *)tcp + doff;
    if ((void *)payload + 8 > end) return XDP_PASS;
    char text[8];
    __builtin_memcpy(text, payload, 8);
    if (bpf_strncmp(text, 4, "GET ") == 0) return XDP_PASS;
    if (bpf_strncmp(text, 5, "POST ") == 0) return XDP_DROP;
    return XDP_PASS;
}
