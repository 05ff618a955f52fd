// A load balancer: hash of the flow, table of backends, per-CPU counters, IPIP encapsulation.
#include "common.h"
#define RING 1021
struct vip { __be32 address; __be16 port; __u8 proto, pad; };
struct backend { __be32 address; __u8 mac[6]; __u16 flags; };
struct stat { __u64 packets, bytes; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, struct vip); __type(value, __u32); } vips SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 64 * RING); __type(key, __u32); __type(value, __u32); } rings SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 256); __type(key, __u32); __type(value, struct backend); } backends SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 256); __type(key, __u32); __type(value, struct stat); } stats SEC(".maps");
static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c) {
    a ^= b; a = (a << 13) | (a >> 19); a += c; a ^= a >> 16; a *= 0x85ebca6b; a ^= a >> 13; a *= 0xc2b2ae35; return a ^ a >> 16;
}
SEC("xdp") int maglev(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5) return XDP_PASS;
    if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP) return XDP_PASS;
    struct udphdr *l4 = (void *)(ip + 1);
    if ((void *)(l4 + 1) > end) return XDP_DROP;
    struct vip key = {.address = ip->daddr, .port = l4->dest, .proto = ip->protocol};
    __u32 *number = bpf_map_lookup_elem(&vips, &key);
    if (!number) return XDP_PASS;
    __u32 slot = *number * RING + mix(ip->saddr, l4->source, ip->protocol) % RING;
    __u32 *index = bpf_map_lookup_elem(&rings, &slot);
    if (!index) return XDP_DROP;
    __u32 id = *index;
    struct backend *be = bpf_map_lookup_elem(&backends, &id);
    if (!be) return XDP_DROP;
    struct stat *st = bpf_map_lookup_elem(&stats, &id);
    if (st) { st->packets++; st->bytes += end - data; }
    struct ethhdr copy = *eth;
    struct iphdr outer = *ip;
    if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer))) return XDP_DROP;
    data = BEGIN(ctx); end = END(ctx);
    eth = data; ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    __builtin_memcpy(eth->h_source, copy.h_dest, 6);
    __builtin_memcpy(eth->h_dest, be->mac, 6);
    eth->h_proto = bpf_htons(ETH_P_IP);
    outer.tot_len = bpf_htons(bpf_ntohs(outer.tot_len) + sizeof(outer));
    outer.protocol = IPPROTO_IPIP; outer.saddr = outer.daddr; outer.daddr = be->address; outer.check = 0; outer.ttl = 64;
    __u16 *words = (__u16 *)&outer;
    __u32 sum = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < 10; i++) sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    outer.check = ~(sum + (sum >> 16));
    *ip = outer;
    return XDP_TX;
}
