// QinQ: pops up to four VLAN tags while parsing, counts by the inner tag.
#include "common.h"
struct vlan { __be16 tci, proto; };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 4096); __type(key, __u32); __type(value, __u64); } by_vlan SEC(".maps");
SEC("xdp") int vlan_stack(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    __be16 proto = eth->h_proto;
    void *at = eth + 1;
    __u32 id = 0;
    for (int i = 0; i < 4; i++) {
        if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD)) break;
        struct vlan *tag = at;
        if ((void *)(tag + 1) > end) return XDP_DROP;
        id = bpf_ntohs(tag->tci) & 0xfff;
        proto = tag->proto;
        at = tag + 1;
    }
    __u64 *count = bpf_map_lookup_elem(&by_vlan, &id);
    if (count) ++*count;
    if (proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = at;
        if ((void *)(ip + 1) > end) return XDP_DROP;
        if (ip->ttl <= 1) return XDP_DROP;
    }
    return XDP_PASS;
}
