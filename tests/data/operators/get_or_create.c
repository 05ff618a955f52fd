// "Look up, else create and look up again": whichever look-up gave the value, it is locked, counted and unlocked.
#include "common.h"

struct flow {
    struct bpf_spin_lock lock;
    __u32 packets;
    __u64 bytes, last;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __type(key, __u32);
    __type(value, struct flow);
    __uint(max_entries, 1024);
} flows SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, struct flow);
    __uint(max_entries, 1);
} total SEC(".maps");

INLINE void account(struct flow *flow, __u64 bytes, __u64 now) {
    bpf_spin_lock(&flow->lock);
    flow->packets++;
    flow->bytes += bytes;
    flow->last = now;
    bpf_spin_unlock(&flow->lock);
}

FILTER int count_flow(struct xdp_md *ctx) {
    __u32 key = ctx->rx_queue_index;
    struct flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (!flow) {
        struct flow fresh = {};
        bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST);
        flow = bpf_map_lookup_elem(&flows, &key);
        if (!flow) return XDP_ABORTED;
    }
    account(flow, END(ctx) - BEGIN(ctx), bpf_ktime_get_ns());
    return XDP_PASS;
}

// Three tries, with a fallback to another key.
FILTER int count_or_fall_back(struct xdp_md *ctx) {
    __u32 key = ctx->ingress_ifindex, others = 0;
    struct flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (!flow) flow = bpf_map_lookup_elem(&flows, &others);
    if (!flow) {
        struct flow fresh = {};
        if (bpf_map_update_elem(&flows, &others, &fresh, BPF_ANY)) return XDP_ABORTED;
        flow = bpf_map_lookup_elem(&flows, &others);
    }
    if (!flow) return XDP_ABORTED;
    __u64 now = bpf_ktime_get_ns();
    account(flow, 64, now);
    return XDP_PASS;
}

// Locks of one value in each round, created where it is missing.
FILTER int count_three_queues(struct xdp_md *ctx) {
    __u64 now = bpf_ktime_get_ns();
    for (__u32 i = 0; i < 3; i++) {
        __u32 key = ctx->rx_queue_index + i;
        struct flow *flow = bpf_map_lookup_elem(&flows, &key);
        if (!flow) {
            struct flow fresh = {.last = now};
            bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY);
            flow = bpf_map_lookup_elem(&flows, &key);
            if (!flow) return XDP_DROP;
        }
        bpf_spin_lock(&flow->lock);
        bool is_old = now - flow->last > 1000000;
        if (!is_old) flow->packets++;
        else flow->packets = 0;
        bpf_spin_unlock(&flow->lock);
    }
    return XDP_PASS;
}
