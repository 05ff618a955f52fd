// Exchange, compare-and-exchange and fetch on map values; r0 depends on what they gave back.
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} cells SEC(".maps");

SEC("unibpf/rewriter")
int atomics(struct xdp_md *ctx) {
    unsigned char *data = BEGIN(ctx);
    if ((void *)(data + 24) > END(ctx)) return XDP_DROP;
    __u32 key = data[14] & 3;
    __u64 *cell = bpf_map_lookup_elem(&cells, &key);
    if (!cell) return XDP_ABORTED;
    __u64 operand = *(__u64 *)(data + 16);
    __u64 old = __sync_fetch_and_xor(cell, operand);
    old += __sync_lock_test_and_set(cell, old ^ 0x55);
    old += __sync_val_compare_and_swap(cell, old ^ 0x55, operand);
    old += __sync_fetch_and_or((__u32 *)cell, 0x80000001);
    old += __sync_fetch_and_and((__u32 *)cell + 1, 0x7fffffff);
    return (old ^ old >> 32) & 0x7;
}

char _license[] SEC("license") = "GPL";
