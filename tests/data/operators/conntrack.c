// Connections in an LRU hash, both directions under one key.
#include "common.h"
struct key { __be32 a, b; __be16 pa, pb; __u8 proto, pad[3]; };
struct conn { __u64 packets, bytes, seen; __u8 state, pad[7]; };
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 65536); __type(key, struct key); __type(value, struct conn); } conns SEC(".maps");
SEC("xdp") int conntrack(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __u32 hl = ip->ihl * 4;
    if (hl < sizeof(*ip)) return XDP_DROP;
    struct key key = {.a = ip->saddr, .b = ip->daddr, .proto = ip->protocol};
    void *l4 = (void *)ip + hl;
    bool syn = false, fin = false;
    if (ip->protocol == IPPROTO_TCP) {
        struct tcphdr *tcp = l4;
        if ((void *)(tcp + 1) > end) return XDP_DROP;
        key.pa = tcp->source; key.pb = tcp->dest;
        syn = tcp->syn && !tcp->ack; fin = tcp->fin || tcp->rst;
    } else if (ip->protocol == IPPROTO_UDP) {
        struct udphdr *udp = l4;
        if ((void *)(udp + 1) > end) return XDP_DROP;
        key.pa = udp->source; key.pb = udp->dest;
    } else return XDP_PASS;
    if (key.a > key.b) {
        __be32 t = key.a; key.a = key.b; key.b = t;
        __be16 p = key.pa; key.pa = key.pb; key.pb = p;
    }
    struct conn *c = bpf_map_lookup_elem(&conns, &key);
    if (c) {
        __sync_fetch_and_add(&c->packets, 1);
        __sync_fetch_and_add(&c->bytes, end - data);
        c->seen = bpf_ktime_get_ns();
        if (fin) bpf_map_delete_elem(&conns, &key);
        return XDP_PASS;
    }
    if (ip->protocol == IPPROTO_TCP && !syn) return XDP_DROP;
    struct conn fresh = {.packets = 1, .bytes = end - data, .seen = bpf_ktime_get_ns(), .state = 1};
    bpf_map_update_elem(&conns, &key, &fresh, BPF_ANY);
    return XDP_PASS;
}
