// Neighbours of ../binary_search.c: the interval may be empty, its end is one too far, or the middle is rounded up.
#include "../common.h"

struct ranges {
    __u32 count;
    __u32 high[1024];
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, struct ranges);
    __uint(max_entries, 1);
} tables SEC(".maps");

FILTER int interval_may_be_empty(struct xdp_md *ctx) {
    __u32 zero = 0, address = ctx->rx_queue_index;
    struct ranges *table = bpf_map_lookup_elem(&tables, &zero);
    if (!table) return XDP_PASS;
    __u32 first = 0, past = table->count;
    if (past > 1024) return XDP_PASS;
    for (int i = 0; i < 11 && first <= past; i++) {
        __u32 middle = first + (past - first) / 2;
        if (table->high[middle] < address) first = middle + 1;
        else past = middle;
    }
    return first > 7 ? XDP_DROP : XDP_PASS;
}

FILTER int end_too_far(struct xdp_md *ctx) {
    __u32 zero = 0, address = ctx->rx_queue_index;
    struct ranges *table = bpf_map_lookup_elem(&tables, &zero);
    if (!table) return XDP_PASS;
    __u32 first = 0, past = table->count;
    if (past > 1025) return XDP_PASS;
    for (int i = 0; i < 11 && first < past; i++) {
        __u32 middle = first + (past - first) / 2;
        if (table->high[middle] < address) first = middle + 1;
        else past = middle;
    }
    return first > 7 ? XDP_DROP : XDP_PASS;
}

FILTER int rounded_up(struct xdp_md *ctx) {
    __u32 zero = 0, address = ctx->rx_queue_index;
    struct ranges *table = bpf_map_lookup_elem(&tables, &zero);
    if (!table) return XDP_PASS;
    __u32 first = 0, past = table->count;
    if (past > 1024) return XDP_PASS;
    for (int i = 0; i < 11 && first < past; i++) {
        __u32 middle = (first + past + 1) >> 1;
        if (table->high[middle] < address) first = middle + 1;
        else past = middle;
    }
    return first > 7 ? XDP_DROP : XDP_PASS;
}
