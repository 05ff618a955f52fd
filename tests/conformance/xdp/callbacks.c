// Callbacks: loops that end early, elements of an array and of a hash, a loop inside a loop.
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 7);
    __type(key, __u32);
    __type(value, __u64);
} numbers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

struct state {
    __u64 sum;
    __u32 limit;
};

static long inner(__u32 index, struct state *state) {
    state->sum += index;
    return 0;
}

static long add_index(__u32 index, struct state *state) {
    state->sum = state->sum * 3 + index;
    if (index % 4 == 3) bpf_loop(index, inner, state, 0);
    return index == state->limit;
}

static long add_element(void *map, const __u32 *key, __u64 *value, struct state *state) {
    *value += *key + state->limit;
    state->sum += *value;
    return *key == state->limit % 16;
}

// Independent of the order, which a hash does not promise.
static long add_count(void *map, const __u32 *key, __u64 *value, struct state *state) {
    state->sum += *key * *value;
    return 0;
}

SEC("unibpf/filter")
int callbacks(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    struct state state = {.sum = data[0], .limit = data[1] % 32};
    __u32 key = data[2] % 24;
    __u64 value = data[3];
    __u8 times = data[4] % 64, flags = data[5] % 8 == 0;
    bpf_map_update_elem(&counts, &key, &value, 0);
    state.sum += bpf_loop(times, add_index, &state, flags);
    state.sum += bpf_for_each_map_elem(&numbers, add_element, &state, flags);
    state.sum += bpf_for_each_map_elem(&counts, add_count, &state, 0);
    state.sum += bpf_loop(1 << 24, inner, &state, 0);
    return state.sum % 4 + 1;
}

char _license[] SEC("license") = "GPL";
