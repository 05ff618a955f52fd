// A token bucket for each source, under the value's spin lock.
#include "common.h"
struct bucket { struct bpf_spin_lock lock; __u64 tokens, stamp; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 10000); __type(key, __be32); __type(value, struct bucket); } buckets SEC(".maps");
SEC("xdp") int token_bucket(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __be32 src = ip->saddr;
    __u64 now = bpf_ktime_get_ns();
    struct bucket *b = bpf_map_lookup_elem(&buckets, &src);
    if (!b) {
        struct bucket fresh;
        __builtin_memset(&fresh, 0, sizeof(fresh));  // padding too
        fresh.tokens = 1000;
        fresh.stamp = now;
        bpf_map_update_elem(&buckets, &src, &fresh, BPF_NOEXIST);
        return XDP_PASS;
    }
    int action = XDP_DROP;
    bpf_spin_lock(&b->lock);
    __u64 add = (now - b->stamp) >> 20;
    if (add > 0) { b->tokens += add; b->stamp = now; }
    if (b->tokens > 1000) b->tokens = 1000;
    if (b->tokens > 0) { b->tokens--; action = XDP_PASS; }
    bpf_spin_unlock(&b->lock);
    return action;
}
