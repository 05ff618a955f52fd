// Finds the MSS option and clamps it, fixing the checksum incrementally.
#include "common.h"
SEC("xdp") int tcp_options(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_TCP) return XDP_PASS;
    struct tcphdr *tcp = (void *)ip + ip->ihl * 4;
    if ((void *)(tcp + 1) > end || !tcp->syn) return XDP_PASS;
    __u32 length = tcp->doff * 4;
    if (length < sizeof(*tcp)) return XDP_DROP;
    __u8 *at = (__u8 *)(tcp + 1), *stop = (__u8 *)tcp + length;
    if ((void *)stop > end) return XDP_DROP;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 40; i++) {
        if (at + 1 > (__u8 *)end || at >= stop) break;
        __u8 kind = at[0];
        if (kind == 0) break;
        if (kind == 1) { at++; continue; }
        if (at + 2 > (__u8 *)end) break;
        __u8 size = at[1];
        if (size < 2) break;
        if (kind == 2 && size == 4) {
            if (at + 4 > (__u8 *)end) break;
            __be16 *mss = (__be16 *)(at + 2);
            if (bpf_ntohs(*mss) > 1400) {
                __u32 sum = (__u16)~tcp->check + (__u16)~*mss + bpf_htons(1400);
                sum = (sum & 0xffff) + (sum >> 16);
                tcp->check = ~((sum & 0xffff) + (sum >> 16));
                *mss = bpf_htons(1400);
            }
            return XDP_TX;
        }
        at += size;
    }
    return XDP_PASS;
}
