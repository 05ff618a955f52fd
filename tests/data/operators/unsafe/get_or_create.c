// Neighbours of ../get_or_create.c: another value is unlocked than was locked, or nobody knows that there is one.
#include "../common.h"

struct flow {
    struct bpf_spin_lock lock;
    __u32 packets;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __type(key, __u32);
    __type(value, struct flow);
    __uint(max_entries, 1024);
} flows SEC(".maps");

FILTER int unlocks_the_second(struct xdp_md *ctx) {
    __u32 key = ctx->rx_queue_index, other = 7;
    struct flow *first = bpf_map_lookup_elem(&flows, &key);
    struct flow *second = bpf_map_lookup_elem(&flows, &other);
    if (!first || !second) return XDP_PASS;
    struct flow *flow = bpf_get_prandom_u32() & 1 ? first : second;
    bpf_spin_lock(&flow->lock);
    flow->packets++;
    bpf_spin_unlock(&second->lock);
    return XDP_PASS;
}

FILTER int swapped_on_one_path(struct xdp_md *ctx) {
    __u32 key = ctx->rx_queue_index, other = 7;
    struct flow *one = bpf_map_lookup_elem(&flows, &key);
    if (!one) return XDP_PASS;
    struct flow *two = bpf_map_lookup_elem(&flows, &other);
    if (!two) two = one;
    asm volatile("" : "+r"(one), "+r"(two));
    bpf_spin_lock(&one->lock);
    one->packets++;
    bpf_spin_unlock(&two->lock);
    return XDP_PASS;
}

FILTER int never_created(struct xdp_md *ctx) {
    __u32 key = ctx->rx_queue_index;
    struct flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (!flow) {
        struct flow fresh = {};
        bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST);
        flow = bpf_map_lookup_elem(&flows, &key);
    }
    bpf_spin_lock(&flow->lock);
    flow->packets++;
    bpf_spin_unlock(&flow->lock);
    return XDP_PASS;
}

// The value of the round before is unlocked.
FILTER int of_the_round_before(struct xdp_md *ctx) {
    __u32 key = 1;
    struct flow *before = bpf_map_lookup_elem(&flows, &key);
    if (!before) return XDP_PASS;
    for (int i = 0; i < 3; i++) {
        key = bpf_get_prandom_u32();
        struct flow *flow = bpf_map_lookup_elem(&flows, &key);
        if (!flow) return XDP_PASS;
        asm volatile("" : "+r"(flow), "+r"(before));
        bpf_spin_lock(&flow->lock);
        bpf_spin_unlock(&before->lock);
        before = flow;
    }
    return XDP_PASS;
}
