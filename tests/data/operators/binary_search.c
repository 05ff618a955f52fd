// Binary searches over tables in map values: the middle is never tested against the table's size.
#include "common.h"

struct ranges {
    __u32 count;
    __u32 low[1024], high[1024];
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, struct ranges);
    __uint(max_entries, 1);
} tables SEC(".maps");

INLINE struct ranges *table_of(struct xdp_md *ctx, __u32 *address) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return NULL;
    *address = bpf_ntohl(ip->saddr);
    __u32 zero = 0;
    return bpf_map_lookup_elem(&tables, &zero);
}

FILTER int by_distance(struct xdp_md *ctx) {
    __u32 address;
    struct ranges *table = table_of(ctx, &address);
    if (!table) return XDP_PASS;
    __u32 first = 0, past = table->count;
    if (past > 1024) return XDP_PASS;
    for (int i = 0; i < 11 && first < past; i++) {
        __u32 middle = first + (past - first) / 2;
        if (table->high[middle] < address) first = middle + 1;
        else if (table->low[middle] > address) past = middle;
        else return XDP_DROP;
    }
    return XDP_PASS;
}

FILTER int by_sum(struct xdp_md *ctx) {
    __u32 address;
    struct ranges *table = table_of(ctx, &address);
    if (!table) return XDP_PASS;
    __u32 first = 0, past = table->count;
    if (past > 1024) return XDP_PASS;
    for (int i = 0; i < 11; i++) {
        if (first >= past) break;
        __u32 middle = (first + past) >> 1;
        if (table->high[middle] < address) first = middle + 1;
        else past = middle;
    }
    return first < 1024 && table->low[first] <= address ? XDP_DROP : XDP_PASS;
}

// Indices are 64 bits wide, the loop ends when the interval is empty or the steps are used up.
FILTER int by_wide_distance(struct xdp_md *ctx) {
    __u32 address;
    struct ranges *table = table_of(ctx, &address);
    if (!table) return XDP_PASS;
    __u64 first = 0, past = 1024;
    for (int i = 0; i < 16; i++) {
        if (first >= past) return XDP_PASS;
        __u64 middle = first + ((past - first) >> 1);
        if (table->low[middle] <= address) first = middle + 1;
        else past = middle;
    }
    return XDP_DROP;
}
