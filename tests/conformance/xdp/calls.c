// Tail calls through a program array that is filled from this object: chains, missing entries and their limit.
#include "common.h"

int first(struct xdp_md *ctx);
int second(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __uint(key_size, 4);
    __array(values, int(void *));
} stages SEC(".maps") = {.values = {[0] = (void *)&first, [2] = (void *)&second}};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} visits SEC(".maps");

static __always_inline void visit(__u32 stage) {
    __u64 *count = bpf_map_lookup_elem(&visits, &stage);
    if (count) ++*count;
}

SEC("unibpf/filter")
int calls(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    visit(0);
    bpf_tail_call(ctx, &stages, data[0] % 6);
    visit(3);
    return XDP_TX;
}

SEC("unibpf/filter")
int first(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    visit(1);
    bpf_tail_call(ctx, &stages, data[1] % 4);  // itself, the other one, or nothing
    return XDP_DROP;
}

SEC("unibpf/filter")
int second(struct xdp_md *ctx) {
    visit(2);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
