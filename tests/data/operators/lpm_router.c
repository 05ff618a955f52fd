// Routes by the longest prefix, through a device map.
#include "common.h"
struct prefix { __u32 bits; __be32 address; };
struct hop { __u32 port; __u8 dst[6], src[6]; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 1024); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct prefix); __type(value, struct hop); } routes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_DEVMAP); __uint(max_entries, 64); __type(key, __u32); __type(value, __u32); } ports SEC(".maps");
SEC("xdp") int lpm_router(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if (ip->ttl <= 1) return XDP_DROP;
    struct prefix key = {.bits = 32, .address = ip->daddr};
    struct hop *hop = bpf_map_lookup_elem(&routes, &key);
    if (!hop) return XDP_PASS;
    __u32 sum = ip->check + bpf_htons(0x0100);
    ip->check = sum + (sum >= 0xffff);
    ip->ttl--;
    __builtin_memcpy(eth->h_dest, hop->dst, 6);
    __builtin_memcpy(eth->h_source, hop->src, 6);
    return bpf_redirect_map(&ports, hop->port, XDP_DROP);
}
