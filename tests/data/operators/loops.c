// Loops in the ways people write them.
#include "common.h"

#define KEEP _Pragma("clang loop unroll(disable)")

FILTER int until_not_equal(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    if (p + 64 > end) return XDP_PASS;
    __u32 sum = 0;
    KEEP for (int i = 0; i != 64; i++) sum += p[i];
    return sum & 1 ? XDP_DROP : XDP_PASS;
}

FILTER int counted_down(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    if (p + 100 > end) return XDP_PASS;
    __u32 n = 100, hash = 0;
    KEEP while (n--) hash = hash * 31 + p[n];
    return hash % 3 == 0 ? XDP_DROP : XDP_PASS;
}

FILTER int from_the_end(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx), *end = END(ctx);
    int zeroes = 0;
    KEEP for (int i = 1; i <= 64; i++) {
        if (end - i < data) break;
        if (end - i < data + 14) break;
        zeroes += 1;
    }
    return zeroes > 10 ? XDP_PASS : XDP_DROP;
}

FILTER int to_a_variable_bound(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    __u32 n = ip->ihl * 4;
    if (n < 20 || data + 14 + n > end) return XDP_DROP;
    __u32 sum = 0;
    __u8 *bytes = (void *)ip;
    KEEP for (__u32 i = 0; i < n; i++) {
        if ((void *)(bytes + i + 1) > end) break;
        sum += bytes[i];
    }
    return sum == 0 ? XDP_DROP : XDP_PASS;
}

FILTER int by_do_while(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    int i = 0, high = 0;
    if (p + 1 > end) return XDP_ABORTED;
    KEEP do {
        if (*p > high) high = *p;
        p++;
        i++;
    } while (i < 32 && p + 1 <= end);
    return high > 200 ? XDP_DROP : XDP_PASS;
}

FILTER int nested(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    __u32 sum = 0;
    KEEP for (int row = 0; row < 16; row++) {
        if (p + 16 > end) break;
        KEEP for (int column = 0; column < 16; column++) sum += p[column] * row;
        p += 16;
    }
    return sum % 17 == 3 ? XDP_DROP : XDP_PASS;
}

FILTER int table_on_stack(struct xdp_md *ctx) {
    __u8 *p = BEGIN(ctx), *end = END(ctx);
    __u32 seen[16] = {};
    KEEP for (int i = 0; i < 64; i++) {
        if (p + i + 1 > end) break;
        seen[p[i] & 15]++;
    }
    __u32 most = 0;
    KEEP for (int i = 0; i < 16; i++) {
        if (seen[i] > most) most = seen[i];
    }
    return most > 32 ? XDP_DROP : XDP_PASS;
}

FILTER int sorted(struct xdp_md *ctx) {
    __u16 *p = BEGIN(ctx), *end = END(ctx);
    if (p + 16 > end) return XDP_PASS;
    __u16 word[8];
#pragma unroll
    for (int i = 0; i < 8; i++) word[i] = p[i];
    KEEP for (int i = 1; i < 8; i++) {
        KEEP for (int j = i; j > 0; j--) {
            if (j >= 8) break;
            if (word[j - 1] <= word[j]) break;
            __u16 t = word[j];
            word[j] = word[j - 1];
            word[j - 1] = t;
        }
    }
    return word[4] > 1000 ? XDP_DROP : XDP_PASS;
}

struct prefix { __u32 from, to, action; };
const volatile struct prefix prefixes[16] = {{1, 2, 1}, {10, 20, 2}};
const volatile __u32 prefix_count = 2;

FILTER int over_configuration(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    __u32 address = bpf_ntohl(ip->saddr);
    KEEP for (__u32 i = 0; i < prefix_count && i < 16; i++) {
        if (address >= prefixes[i].from && address < prefixes[i].to) return prefixes[i].action;
    }
    return XDP_PASS;
}

struct rule { __u32 mask, value, action; };
struct rules { __u32 count; struct rule rule[32]; };
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rules);
} table SEC(".maps");

FILTER int over_a_map_value(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    __u32 key = 0;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    struct rules *rules = bpf_map_lookup_elem(&table, &key);
    if (!rules) return XDP_PASS;
    __u32 count = rules->count;
    if (count > 32) count = 32;
    KEEP for (__u32 i = 0; i < count; i++) {
        struct rule *rule = &rules->rule[i];
        if ((ip->daddr & rule->mask) == rule->value) return rule->action & 3;
    }
    return XDP_PASS;
}

FILTER int binary_search(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    __u32 key = 0;
    if ((void *)(ip + 1) > end) return XDP_PASS;
    struct rules *rules = bpf_map_lookup_elem(&table, &key);
    if (!rules) return XDP_PASS;
    __u32 low = 0, high = 32;
    KEEP for (int i = 0; i < 6; i++) {
        if (low >= high) break;
        __u32 middle = (low + high) / 2;
        if (middle >= 32) return XDP_ABORTED;
        if (rules->rule[middle].value < ip->saddr) low = middle + 1;
        else high = middle;
    }
    return low >= 32 ? XDP_PASS : rules->rule[low].action & 1;
}
