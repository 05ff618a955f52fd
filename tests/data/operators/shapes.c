// Shapes of checks: flags that remember them, functions that make them, lengths in which they are written.
#include "common.h"

struct parsed {
    struct iphdr *ip;
    struct tcphdr *tcp;
    struct udphdr *udp;
    __u32 payload;
};

// A flag says what has been checked.
FILTER int flag_guards(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    int valid = 0;
    if ((void *)(ip + 1) <= end && ip->version == 4) valid = 1;
    __u32 now = bpf_ktime_get_ns();
    if (!valid) return now & 1 ? XDP_PASS : XDP_DROP;
    return ip->ttl > 1 ? XDP_PASS : XDP_DROP;
}

// A null pointer says what has not.
INLINE void parse(void *data, void *end, struct parsed *out) {
    struct ethhdr *eth = data;
    out->ip = 0;
    out->tcp = 0;
    out->udp = 0;
    out->payload = 0;
    if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || ip->ihl != 5) return;
    out->ip = ip;
    if (ip->protocol == IPPROTO_TCP) {
        struct tcphdr *tcp = (void *)(ip + 1);
        if ((void *)(tcp + 1) <= end) out->tcp = tcp;
    } else if (ip->protocol == IPPROTO_UDP) {
        struct udphdr *udp = (void *)(ip + 1);
        if ((void *)(udp + 1) <= end) out->udp = udp;
    }
}

FILTER int null_guards(struct xdp_md *ctx) {
    struct parsed p;
    parse(BEGIN(ctx), END(ctx), &p);
    if (!p.ip) return XDP_PASS;
    if (p.tcp && p.tcp->dest == bpf_htons(23)) return XDP_DROP;
    if (p.udp && p.udp->dest == bpf_htons(123)) return XDP_DROP;
    return p.ip->frag_off & bpf_htons(0x1fff) ? XDP_DROP : XDP_PASS;
}

// Checks in functions of their own, which take pointers to the packet.
NOINLINE int ttl_of(void *data, void *end) {
    struct iphdr *ip = data;
    if ((void *)(ip + 1) > end) return -1;
    return ip->ttl;
}
NOINLINE __u32 sum_of(const __u8 *at, const __u8 *end) {
    __u32 sum = 0;
    for (int i = 0; i < 20; i++) {
        if (at + i + 1 > end) return 0;
        sum += at[i];
    }
    return sum;
}

FILTER int functions_check(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    int ttl = ttl_of(data + 14, end);
    if (ttl < 0) return XDP_DROP;
    return ttl < 5 || sum_of(data + 14, end) == 0 ? XDP_DROP : XDP_PASS;
}

// A global function: the kernel looks at it by itself.
__attribute__((noinline)) int classify(__u32 source, __u32 destination, __u16 port) {
    if (port == 53 || port == 123) return 1;
    if ((source & 0xff) == (destination & 0xff)) return 2;
    return source / (port + 1) > 100000 ? 3 : 0;
}

FILTER int global_function(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    struct udphdr *udp = (void *)(ip + 1);
    if ((void *)(udp + 1) > end) return XDP_PASS;
    switch (classify(ip->saddr, ip->daddr, bpf_ntohs(udp->dest))) {
    case 0: return XDP_PASS;
    case 1: return XDP_TX;
    default: return XDP_DROP;
    }
}

// The length is computed first and compared with numbers.
FILTER int length_in_int(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    int length = end - data;
    if (length < 34) return XDP_PASS;
    if (data + 34 > end) return XDP_ABORTED;
    struct iphdr *ip = data + 14;
    int total = bpf_ntohs(ip->tot_len);
    return total + 14 > length ? XDP_DROP : XDP_PASS;
}

FILTER int minimum(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u8 *p = data + 42;
    if ((void *)(p + 32) > end) return XDP_PASS;
    __u8 wanted = ((__u8 *)data)[0];
    __u32 n = wanted < 32 ? wanted : 31;
    int balance = (int)p[n] - (int)p[31 - n];
    if (balance < 0) balance = -balance;
    return balance > 127 ? XDP_DROP : XDP_PASS;
}

FILTER int signed_length(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    int rest = bpf_ntohs(ip->tot_len) - ip->ihl * 4;
    if (rest <= 0 || rest > 1400) return XDP_DROP;
    __u8 *last = (void *)(ip + 1) + rest;
    if ((void *)(last + 1) > end) return XDP_DROP;
    return *last == 0 ? XDP_DROP : XDP_PASS;
}

// Index by masks into arrays on the stack and in read-only data.
static const __u8 weights[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

FILTER int masked_index(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    if (p + 34 > end) return XDP_PASS;
    __u8 bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    __u32 at = p[26];
    __u32 value = weights[at & 15] + weights[at >> 4];
    bits[at & 7] = value;
    return bits[(value >> 2) & 7] > 64 ? XDP_DROP : XDP_PASS;
}

// Many values live at once, so that pointers go through the stack.
FILTER int many_live(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = data + 14;
    struct udphdr *udp = data + 34;
    __u64 *body = data + 42;
    if ((void *)(body + 4) > end) return XDP_PASS;
    __u64 a = body[0], b = body[1], c = body[2], d = body[3];
    __u64 t = bpf_ktime_get_ns();
    a ^= t; b += t;
    __u32 r = bpf_get_prandom_u32();
    c ^= r; d += r;
    __u32 cpu = bpf_get_smp_processor_id();
    __u64 mixed = a * b + c * d + eth->h_proto + ip->saddr + udp->source + cpu;
    return (mixed ^ body[1] ^ ip->daddr ^ udp->dest ^ eth->h_source[0]) % 5 == t % 5 ? XDP_DROP : XDP_PASS;
}

FILTER int single_exit(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx), *next;
    struct ethhdr *eth = data;
    int action = XDP_DROP;
    next = eth + 1;
    if (next > end) goto out;
    action = XDP_PASS;
    if (eth->h_proto != bpf_htons(ETH_P_IP)) goto out;
    struct iphdr *ip = next;
    next = ip + 1;
    if (next > end) goto bad;
    if (ip->protocol != IPPROTO_UDP) goto out;
    struct udphdr *udp = next;
    next = udp + 1;
    if (next > end) goto bad;
    if (udp->check == 0) goto bad;
    goto out;
bad:
    action = XDP_DROP;
out:
    return action;
}

// Division and modulo of 64 bits, shifts by variables.
FILTER int arithmetic(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u64 *word = data;
    if ((void *)(word + 4) > end) return XDP_PASS;
    __u64 q = word[0] / (word[1] | 1), r = word[2] % 1000003;
    __u32 s = (__u32)word[3] >> (q & 31);
    __u8 *p = data + r % 24;
    if (s > 24) s = 24;
    return p[s % 8] + *(__u8 *)(data + s) > 300 ? XDP_DROP : XDP_PASS;
}

REWRITER int tail_trimmed(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    int wanted = bpf_ntohs(ip->tot_len) + 14, has = end - data;
    if (wanted < has && bpf_xdp_adjust_tail(ctx, wanted - has)) return XDP_DROP;
    data = BEGIN(ctx);
    end = END(ctx);
    ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_DROP;
    ip->ttl--;
    return XDP_PASS;
}

INLINE __u64 word_at(void *data, void *end, __u32 offset) {
    if (offset > 256) return 0;
    if (data + offset + 8 > end) return 0;
    return *(__u64 *)(data + offset);
}

FILTER int words_at_offsets(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u64 first = word_at(data, end, 0), second = word_at(data, end, 8 + (first & 63));
    return word_at(data, end, second & 0xff) ? XDP_DROP : XDP_PASS;
}
