// Reads the first question of a DNS query, label by label, and looks it up.
#include "common.h"
struct dns { __be16 id, flags, qd, an, ns, ar; };
struct name { char text[64]; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, struct name); __type(value, __u64); } blocked SEC(".maps");
SEC("xdp") int dns_names(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct dns *dns = (void *)(udp + 1);
    if ((void *)(dns + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl != 5 || udp->dest != bpf_htons(53)) return XDP_PASS;
    struct name name = {};
    __u8 *at = (__u8 *)(dns + 1);
#pragma clang loop unroll(disable)
    for (int i = 0; i < 63; i++) {
        if ((void *)(at + 1) > end) return XDP_DROP;
        __u8 c = *at;
        if (c == 0) break;
        if (c >= 'A' && c <= 'Z') c += 32;
        name.text[i] = c;
        at++;
    }
    __u64 *hits = bpf_map_lookup_elem(&blocked, &name);
    if (!hits) return XDP_PASS;
    __sync_fetch_and_add(hits, 1);
    return XDP_DROP;
}
