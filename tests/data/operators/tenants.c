// Each tenant has a table of its own.
#include "common.h"
struct rule { __u64 hits; __u32 action, pad; };
struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 128); __type(key, __be32); __type(value, struct rule); };
struct inner first SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 16); __type(key, __u32); __type(value, __u32); __array(values, struct inner); } tenants SEC(".maps") = {.values = {[1] = &first}};
SEC("xdp") int tenants_main(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __u32 tenant = ip->daddr & 15;
    void *table = bpf_map_lookup_elem(&tenants, &tenant);
    if (!table) return XDP_PASS;
    __be32 src = ip->saddr;
    struct rule *rule = bpf_map_lookup_elem(table, &src);
    if (!rule) return XDP_PASS;
    __sync_fetch_and_add(&rule->hits, 1);
    return rule->action == 1 ? XDP_DROP : XDP_PASS;
}
