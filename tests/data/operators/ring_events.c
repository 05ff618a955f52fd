// Logs dropped flows to a ring buffer.
#include "common.h"
struct event { __u64 time; __be32 src, dst; __u32 length, reason; __u8 head[32]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");
static __always_inline void report(void *data, void *end, struct iphdr *ip, int reason) {
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e) return;
    e->time = bpf_ktime_get_ns(); e->src = ip->saddr; e->dst = ip->daddr; e->length = end - data; e->reason = reason;
    if (data + 32 <= end) __builtin_memcpy(e->head, data, 32);
    else { bpf_ringbuf_discard(e, 0); return; }
    bpf_ringbuf_submit(e, 0);
}
SEC("xdp") int ring_events(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if (ip->ttl == 0) { report(data, end, ip, 1); return XDP_DROP; }
    if (ip->frag_off & bpf_htons(0x3fff)) { report(data, end, ip, 2); return XDP_DROP; }
    return XDP_PASS;
}
