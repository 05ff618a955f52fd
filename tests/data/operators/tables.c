// Tables: sketches, balancers, conntrack, address translation, rate limits.
#include "common.h"

struct tuple { __be32 source, destination; __be16 from, to; __u8 protocol, unused[3]; };

#define TABLE(name, kind, entries, k, v) \
    struct { __uint(type, kind); __uint(max_entries, entries); __type(key, k); __type(value, v); } name SEC(".maps")

struct row { __u32 count[1024]; };
struct flow { __u64 packets, bytes, seen; __u32 state, marks; };
struct binding { __be32 address; __be16 port; __u16 used; };
struct bucket { __u64 tokens, refilled; };
struct settings { __u32 rate, burst, mask, unused; };
TABLE(sketch, BPF_MAP_TYPE_ARRAY, 4, __u32, struct row);
TABLE(ring, BPF_MAP_TYPE_ARRAY, 65537, __u32, __u32);
TABLE(flows, BPF_MAP_TYPE_LRU_HASH, 4096, struct tuple, struct flow);
TABLE(bindings, BPF_MAP_TYPE_HASH, 4096, struct tuple, struct binding);
TABLE(ports, BPF_MAP_TYPE_HASH, 65535, __u16, struct tuple);
TABLE(buckets, BPF_MAP_TYPE_LRU_HASH, 4096, __u32, struct bucket);
TABLE(counters, BPF_MAP_TYPE_PERCPU_ARRAY, 256, __u32, __u64);

const volatile __u32 sample_every = 64;
const volatile __u32 prefix_bits = 24;
const volatile struct settings limits = {1000, 64, 0x3f, 0};
__u64 seen = 0;
__u32 last_port = 1024;

INLINE int tuple_of(void *data, void *end, struct tuple *out) {
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return -1;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return -1;
    __be16 *ports = (void *)ip + (ip->ihl * 4);
    if ((void *)(ports + 2) > end) return -1;
    __builtin_memset(out, 0, sizeof *out);
    out->source = ip->saddr;
    out->destination = ip->daddr;
    out->protocol = ip->protocol;
    out->from = ports[0];
    out->to = ports[1];
    return 0;
}

INLINE __u32 turn(__u32 x, int by) { return x << by | x >> (32 - by); }

// Three words mixed by additions, xors and rotations.
INLINE __u32 hash3(__u32 a, __u32 b, __u32 c) {
    a += 0xdeadbeef; b += 0xdeadbeef; c += 0xdeadbeef;
    c ^= b; c -= turn(b, 14);
    a ^= c; a -= turn(c, 11);
    b ^= a; b -= turn(a, 25);
    c ^= b; c -= turn(b, 16);
    a ^= c; a -= turn(c, 4);
    b ^= a; b -= turn(a, 14);
    c ^= b; c -= turn(b, 24);
    return c;
}

INLINE __u32 fnv(const void *bytes, int size) {
    __u32 hash = 2166136261u;
    for (int i = 0; i < size; i++) hash = (hash ^ ((const __u8 *)bytes)[i]) * 16777619u;
    return hash;
}

FILTER int heavy_hitters(struct xdp_md *ctx) {
    struct tuple t;
    if (tuple_of(BEGIN(ctx), END(ctx), &t)) return XDP_PASS;
    __u32 least = ~0u;
    for (__u32 i = 0; i < 4; i++) {
        __u32 key = i;
        struct row *row = bpf_map_lookup_elem(&sketch, &key);
        if (!row) return XDP_ABORTED;
        __u32 column = hash3(t.source, t.destination, i) & 1023;
        row->count[column]++;
        if (row->count[column] < least) least = row->count[column];
    }
    return least > 10000 ? XDP_DROP : XDP_PASS;
}

FILTER int heavy_hitters_by_modulo(struct xdp_md *ctx) {
    struct tuple t;
    if (tuple_of(BEGIN(ctx), END(ctx), &t) < 0) return XDP_PASS;
    __u32 key = 0, hash = fnv(&t, sizeof t);
    struct row *row = bpf_map_lookup_elem(&sketch, &key);
    if (!row) return XDP_PASS;
    __u32 at = hash % 1000;
    __sync_fetch_and_add(&row->count[at], 1);
    return row->count[at] > 5000 ? XDP_DROP : XDP_PASS;
}

REWRITER int ring_balance(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tuple t;
    if (tuple_of(data, end, &t)) return XDP_PASS;
    __u32 slot = hash3(t.source ^ t.destination, (__u32)t.from << 16 | t.to, t.protocol) % 65537;
    __u32 *address = bpf_map_lookup_elem(&ring, &slot);
    if (!address) return XDP_DROP;
    struct iphdr *ip = data + 14;
    ip->daddr = *address;
    ip->check = 0;
    __u32 sum = bpf_csum_diff(0, 0, (__be32 *)ip, 20, 0);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->check = ~(sum + (sum >> 16));
    return XDP_TX;
}

enum { SYN_SEEN = 1, ESTABLISHED, CLOSING };

FILTER int conntrack(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tuple t;
    if (tuple_of(data, end, &t) || t.protocol != IPPROTO_TCP) return XDP_PASS;
    struct iphdr *ip = data + 14;
    struct tcphdr *tcp = (void *)ip + ip->ihl * 4;
    if ((void *)(tcp + 1) > end) return XDP_DROP;
    struct flow *flow = bpf_map_lookup_elem(&flows, &t);
    if (!flow) {
        if (!tcp->syn) return XDP_DROP;
        struct flow fresh = {.packets = 1, .bytes = end - data, .state = SYN_SEEN, .seen = bpf_ktime_get_ns()};
        return bpf_map_update_elem(&flows, &t, &fresh, BPF_NOEXIST) ? XDP_DROP : XDP_PASS;
    }
    flow->packets++;
    flow->bytes += end - data;
    switch (flow->state) {
    case SYN_SEEN: if (tcp->ack) flow->state = ESTABLISHED; break;
    case ESTABLISHED: if (tcp->fin) flow->state = CLOSING; break;
    case CLOSING: if (bpf_ktime_get_ns() - flow->seen > 1000000000ull) { bpf_map_delete_elem(&flows, &t); return XDP_DROP; } break;
    default: return XDP_ABORTED;
    }
    flow->seen = bpf_ktime_get_ns();
    return tcp->rst ? XDP_DROP : XDP_PASS;
}

REWRITER int nat44(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tuple t;
    if (tuple_of(data, end, &t)) return XDP_PASS;
    struct binding *known = bpf_map_lookup_elem(&bindings, &t);
    struct binding made = {};
    if (!known) {
        __u16 port = last_port;
        for (int tries = 0; tries < 16; tries++) {
            port = 1024 + (port * 31 + tries) % 64512;
            if (!bpf_map_update_elem(&ports, &port, &t, BPF_NOEXIST)) { made.used = 1; break; }
        }
        if (!made.used) return XDP_DROP;
        last_port = port;
        made.port = bpf_htons(port);
        made.address = bpf_htonl(0xc6336401);
        bpf_map_update_elem(&bindings, &t, &made, BPF_ANY);
        known = &made;
    }
    struct iphdr *ip = data + 14;
    __be16 *transport = (void *)ip + ip->ihl * 4;
    if ((void *)(ip + 1) > end || (void *)(transport + 2) > end) return XDP_DROP;
    ip->saddr = known->address;
    transport[0] = known->port;
    return XDP_TX;
}

FILTER int token_bucket(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    __u32 key = bpf_ntohl(ip->saddr) >> (32 - prefix_bits);
    __u64 now = bpf_ktime_get_ns();
    struct bucket *b = bpf_map_lookup_elem(&buckets, &key);
    if (!b) {
        struct bucket fresh = {limits.burst, now};
        bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
        return XDP_PASS;
    }
    __u64 gained = (now - b->refilled) * limits.rate / 1000000000;
    if (gained) {
        b->tokens = b->tokens + gained > limits.burst ? limits.burst : b->tokens + gained;
        b->refilled = now;
    }
    if (b->tokens == 0) return XDP_DROP;
    b->tokens--;
    return XDP_PASS;
}

FILTER int sampled(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u64 number = __sync_fetch_and_add(&seen, 1);
    if (sample_every && number % sample_every) return XDP_PASS;
    __u32 size = end - data, key = size >> 6;
    if (key > limits.mask) key = limits.mask;
    __u64 *count = bpf_map_lookup_elem(&counters, &key);
    if (count) *count += size;
    return XDP_PASS;
}

// The smaller and the larger address make one key of both directions.
FILTER int both_directions(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct tuple t;
    if (tuple_of(data, end, &t)) return XDP_PASS;
    if (t.source > t.destination) {
        __be32 address = t.source;
        t.source = t.destination;
        t.destination = address;
        __be16 port = t.from;
        t.from = t.to;
        t.to = port;
    }
    struct flow zero = {}, *flow = bpf_map_lookup_elem(&flows, &t);
    if (!flow) {
        bpf_map_update_elem(&flows, &t, &zero, BPF_ANY);
        flow = bpf_map_lookup_elem(&flows, &t);
        if (!flow) return XDP_ABORTED;
    }
    __sync_fetch_and_add(&flow->packets, 1);
    return flow->packets / (flow->marks + 1) > 100 ? XDP_DROP : XDP_PASS;
}
