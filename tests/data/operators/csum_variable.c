// bpf_csum_diff over a length that the packet says.
#include "common.h"
SEC("xdp") int csum_variable(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __u32 length = ip->ihl * 4;
    if (length < 20) return XDP_DROP;
    if ((void *)ip + length > end) return XDP_DROP;
    __s64 sum = bpf_csum_diff(0, 0, (void *)ip, length, 0);
    return (sum & 0xffff) + (sum >> 16) == 0xffff ? XDP_PASS : XDP_DROP;
}
