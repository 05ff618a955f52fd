// Forwards by the kernel's routing table.
#include "common.h"
SEC("xdp") int fib_forward(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ttl <= 1) return XDP_PASS;
    struct bpf_fib_lookup fib;
    __builtin_memset(&fib, 0, sizeof(fib));
    fib.family = 2;
    fib.tos = ip->tos;
    fib.l4_protocol = ip->protocol;
    fib.tot_len = bpf_ntohs(ip->tot_len);
    fib.ipv4_src = ip->saddr;
    fib.ipv4_dst = ip->daddr;
    fib.ifindex = ctx->ingress_ifindex;
    long found = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
    if (found != BPF_FIB_LKUP_RET_SUCCESS) return XDP_PASS;
    ip->ttl--;
    __builtin_memcpy(eth->h_dest, fib.dmac, 6);
    __builtin_memcpy(eth->h_source, fib.smac, 6);
    return bpf_redirect(fib.ifindex, 0);
}
