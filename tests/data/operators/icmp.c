// ICMP: echo answered in place, errors made from the packet that caused them.
#include "common.h"

INLINE __u16 folded(__s64 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

REWRITER int echo_reply(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;
    struct icmphdr *icmp = data + sizeof *eth + sizeof *ip;
    if (data + sizeof *eth + sizeof *ip + sizeof *icmp > end) return XDP_PASS;
    if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_ICMP || icmp->type != ICMP_ECHO) return XDP_PASS;
    __u8 mac[6];
    for (int i = 0; i < 6; i++) mac[i] = eth->h_dest[i];
    for (int i = 0; i < 6; i++) eth->h_dest[i] = eth->h_source[i];
    for (int i = 0; i < 6; i++) eth->h_source[i] = mac[i];
    __u32 address = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    icmp->type = ICMP_ECHOREPLY;
    icmp->checksum += bpf_htons(0x0800);
    return XDP_TX;
}

#define ROOM ((int)(sizeof(struct iphdr) + sizeof(struct icmphdr)))

REWRITER int too_big(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *old = data;
    struct iphdr *inner = (void *)(old + 1);
    if ((void *)(inner + 1) > end) return XDP_PASS;
    if (bpf_ntohs(inner->tot_len) <= 1400 || !(inner->frag_off & bpf_htons(0x4000))) return XDP_PASS;
    struct ethhdr kept = *old;
    __be32 to = inner->saddr, from = inner->daddr;
    int cut = (int)(end - data) - (int)(sizeof *old + 28);
    if (cut > 0 && bpf_xdp_adjust_tail(ctx, -cut)) return XDP_DROP;
    if (bpf_xdp_adjust_head(ctx, -ROOM)) return XDP_DROP;
    data = BEGIN(ctx);
    end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct icmphdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) + 28 > end) return XDP_ABORTED;
    __builtin_memcpy(eth->h_dest, kept.h_source, 6);
    __builtin_memcpy(eth->h_source, kept.h_dest, 6);
    eth->h_proto = kept.h_proto;
    __builtin_memset(ip, 0, sizeof *ip);
    ip->version = 4;
    ip->ihl = 5;
    ip->ttl = 64;
    ip->protocol = IPPROTO_ICMP;
    ip->tot_len = bpf_htons(ROOM + 28);
    ip->saddr = from;
    ip->daddr = to;
    ip->check = folded(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof *ip, 0));
    icmp->type = ICMP_DEST_UNREACH;
    icmp->code = ICMP_FRAG_NEEDED;
    icmp->mtu = bpf_htons(1400);
    icmp->checksum = 0;
    icmp->checksum = folded(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof *icmp + 28, 0));
    return XDP_TX;
}

INLINE int answer(struct xdp_md *ctx, __u8 type) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct icmphdr *icmp = data + 34;
    if ((void *)(icmp + 1) > end) return -1;
    icmp->type = type;
    icmp->checksum = 0;
    __u32 sum = 0;
    __u16 *word = (__u16 *)icmp;
#pragma unroll
    for (int i = 0; i < 4; i++) sum += word[i];
    icmp->checksum = folded(sum);
    return 0;
}

REWRITER int timestamp_refused(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_ICMP) return XDP_PASS;
    return answer(ctx, 3) < 0 ? XDP_DROP : XDP_TX;
}
