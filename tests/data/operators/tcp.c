// TCP: options walked, the maximum segment size clamped, flags counted.
#include "common.h"

INLINE __u16 mend(__u16 sum, __u16 before, __u16 after) {
    __u32 wide = (__u16)~sum + (__u16)~before + after;
    wide = (wide & 0xffff) + (wide >> 16);
    return ~((wide & 0xffff) + (wide >> 16));
}

REWRITER int mss_clamp(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + sizeof(struct ethhdr);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > end) return XDP_PASS;
    if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || !tcp->syn) return XDP_PASS;
    __u8 *option = (void *)(tcp + 1);
    __u32 bytes = tcp->doff * 4 - sizeof *tcp;
#pragma clang loop unroll(disable)
    for (__u32 i = 0, at = 0; i < 12; i++) {
        if (at >= bytes || at > 40) break;
        __u8 *p = option + at;
        if ((void *)p + 1 > end) break;
        if (*p == 0) break;
        if (*p == 1) { at++; continue; }
        if ((void *)(p + 2) > end) break;
        __u8 length = p[1];
        if (*p == 2 && length == 4) {
            __be16 *mss = (void *)(p + 2);
            if ((void *)(mss + 1) > end) break;
            if (bpf_ntohs(*mss) > 1360) {
                tcp->check = mend(tcp->check, *mss, bpf_htons(1360));
                *mss = bpf_htons(1360);
            }
            break;
        }
        if (length < 2) break;
        at += length;
    }
    return XDP_PASS;
}

// By pointers, the end of the options instead of their number.
FILTER int timestamp_option(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tcphdr *tcp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);
    if ((void *)(tcp + 1) > end) return XDP_PASS;
    int length = tcp->doff * 4;
    if (length <= (int)sizeof *tcp) return XDP_PASS;
    void *stop = (void *)tcp + length;
    if (stop > end) return XDP_DROP;
    __u8 *p = (void *)(tcp + 1);
    for (int i = 0; i < 20; i++) {
        if ((void *)p + 2 > stop || (void *)p + 2 > end) return XDP_PASS;
        __u8 kind = *p;
        if (kind == 0) return XDP_PASS;
        if (kind == 1) { p += 1; continue; }
        if (kind == 8) {
            if ((void *)p + 10 > end) return XDP_DROP;
            return *(__u32 *)(p + 2) ? XDP_TX : XDP_PASS;
        }
        if (p[1] < 2) return XDP_DROP;
        p += p[1];
    }
    return XDP_DROP;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} flags SEC(".maps");

FILTER int count_flags(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tcphdr *tcp = data + 34;
    if ((void *)(tcp + 1) > end) return XDP_PASS;
    __u8 bits = ((__u8 *)tcp)[13];
    __u32 key = bits & 0x3f;
    __u64 *count = bpf_map_lookup_elem(&flags, &key);
    if (count) __sync_fetch_and_add(count, 1);
    return (bits & 0x3f) == 0x3f || (bits & 0x3f) == 0 ? XDP_DROP : XDP_PASS;
}

// SYN cookies without the secret: sequence number from a hash, header turned round in place.
INLINE __u32 mix(__u32 h, __u32 x) {
    h ^= x;
    h *= 0x01000193;
    return h ^ (h >> 15);
}

REWRITER int syn_cookie(struct xdp_md *ctx) {
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > END(ctx)) return XDP_PASS;
    if (ip->protocol != IPPROTO_TCP || ip->ihl != 5 || !tcp->syn || tcp->ack) return XDP_PASS;
    __u32 hash = mix(mix(mix(0x811c9dc5, ip->saddr), ip->daddr), (__u32)tcp->source << 16 | tcp->dest);
    __u8 mac[ETH_ALEN];
    __builtin_memcpy(mac, eth->h_source, ETH_ALEN);
    __builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
    __builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
    __be32 address = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    __be16 port = tcp->source;
    tcp->source = tcp->dest;
    tcp->dest = port;
    tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
    tcp->seq = bpf_htonl(hash);
    tcp->ack = 1;
    __s64 sum = bpf_csum_diff(0, 0, (__be32 *)tcp, sizeof *tcp, 0);
    tcp->check = ~(__u16)((sum & 0xffff) + ((sum >> 16) & 0xffff));
    return XDP_TX;
}
