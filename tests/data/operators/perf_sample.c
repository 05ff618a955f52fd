// Samples packets to a perf ring, payload appended by the helper.
#include "common.h"
struct sample { __u16 length, cookie; __u32 pad; };
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(max_entries, 64); __type(key, __u32); __type(value, __u32); } samples SEC(".maps");
SEC("xdp") int perf_sample(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    if (bpf_get_prandom_u32() & 0xff) return XDP_PASS;
    struct sample s = {.length = end - data, .cookie = 0xbeef};
    __u64 size = end - data < 128 ? end - data : 128;
    bpf_perf_event_output(ctx, &samples, size << 32 | BPF_F_CURRENT_CPU, &s, sizeof(s));
    return XDP_PASS;
}
