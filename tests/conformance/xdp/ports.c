// Filter by destination port: rules in a hash, hits in an array, globals in .bss and .rodata.
#include "common.h"

struct rule {
    __u32 action;
    __u32 hits;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u16);
    __type(value, struct rule);
} rules SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} protocols SEC(".maps");

const volatile __u32 learn_below = 40;
__u64 seen;
__u64 weighted = 7;

SEC("unibpf/rewriter")
int ports(struct xdp_md *ctx) {
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    ++seen;
    if ((void *)(udp + 1) > END(ctx)) return XDP_ABORTED;
    if (eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __u32 protocol = ip->protocol;
    __u64 *count = bpf_map_lookup_elem(&protocols, &protocol);
    if (count) __sync_fetch_and_add(count, bpf_ntohs(ip->tot_len));
    weighted = weighted * 31 + udp->source;
    __u16 port = bpf_ntohs(udp->dest);
    struct rule *rule = bpf_map_lookup_elem(&rules, &port);
    if (rule) {
        rule->hits++;
        if (rule->hits == 5) bpf_map_delete_elem(&rules, &port);
        return rule->action;
    }
    if (port % 64 < learn_below) {
        struct rule fresh = {.action = port & 1 ? XDP_DROP : XDP_TX, .hits = 1};
        return bpf_map_update_elem(&rules, &port, &fresh, BPF_NOEXIST) ? XDP_DROP : XDP_PASS;
    }
    return 9;
}

char _license[] SEC("license") = "GPL";
