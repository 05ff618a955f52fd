// Reserves first, decides later; every path gives the record back.
#include "common.h"
struct event { __u64 time; __be32 src; __u32 verdict; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");
SEC("xdp") int ring_events_late(struct xdp_md *ctx) {
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    int verdict = XDP_PASS;
    if ((void *)(ip + 1) > end) { verdict = XDP_DROP; goto out; }
    if (eth->h_proto != bpf_htons(ETH_P_IP)) goto out;
    if (ip->ttl < 2) verdict = XDP_DROP;
    if (e) e->src = ip->saddr;
out:
    if (e) {
        e->time = bpf_ktime_get_ns();
        e->verdict = verdict;
        if (verdict == XDP_DROP) bpf_ringbuf_submit(e, 0); else bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
    }
    return verdict;
}
