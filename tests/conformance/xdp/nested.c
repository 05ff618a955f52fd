// Maps of maps that are filled from this object: counters in the array or hash that a look-up gives.
#include "common.h"

struct counters {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} red SEC(".maps"), green SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, struct counters);
} by_index SEC(".maps") = {.values = {[0] = &red, [2] = &green}};

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, struct counters);
} by_key SEC(".maps") = {.values = {[0] = &green, [1] = &red}};

SEC("unibpf/filter")
int nested(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u32 outer = data[0] % 4, inner = data[1] % 5;
    void *map = data[2] % 2 ? bpf_map_lookup_elem(&by_index, &outer) : bpf_map_lookup_elem(&by_key, &outer);
    if (!map) return XDP_DROP;
    __u64 *count = bpf_map_lookup_elem(map, &inner);
    if (!count) return XDP_TX;
    __sync_fetch_and_add(count, data[3]);
    return *count % 2 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "GPL";
