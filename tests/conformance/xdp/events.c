// Perf events: data with and without bytes of the packet after it, at indexes that are there, empty and past the end.
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} ring SEC(".maps");

__u32 number;

SEC("unibpf/filter")
int events(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u8 copy[24] = {};
    __u64 size = (data[0] & 15) + 5;
    copy[0] = size;
    __builtin_memcpy(copy + 1, &number, 4);
    __builtin_memcpy(copy + 5, data, 14);
    if (++number > 1500) return XDP_PASS;
    __u64 length = (__u8 *)END(ctx) - data, taken = data[1] % 8 ? 0 : data[2] % 16 ? data[2] % length : length + 1;
    __u64 index = data[3] % 4 ? BPF_F_CURRENT_CPU : data[4] % 6;
    long done = bpf_perf_event_output(ctx, &ring, index | taken << 32, copy, size);
    return done == 0 ? XDP_PASS : done == -2 ? XDP_DROP : done == -7 ? XDP_TX : done == -14 ? 17 : 18;
}

char _license[] SEC("license") = "GPL";
