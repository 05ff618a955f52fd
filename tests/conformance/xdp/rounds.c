// Rounds over maps that change meanwhile: every entry that stays is visited, whatever the callback adds and deletes.
#include "common.h"

#define TABLE(table, kind, size)       \
    struct {                           \
        __uint(type, kind);            \
        __uint(max_entries, size);     \
        __type(key, __u32);            \
        __type(value, __u64);          \
    } table SEC(".maps")

TABLE(hash, BPF_MAP_TYPE_HASH, 24);
TABLE(hash_cpu, BPF_MAP_TYPE_PERCPU_HASH, 24);
TABLE(lru, BPF_MAP_TYPE_LRU_HASH, 1024);
TABLE(array, BPF_MAP_TYPE_ARRAY, 9);
TABLE(array_cpu, BPF_MAP_TYPE_PERCPU_ARRAY, 9);

struct state {
    __u64 seen;
    __u32 what, other;
};

// Keys below 32 stay during a round; those from 32 to 63 come and go. Only the former are compared: which of the others a round
// meets depends on where they stand.
#define CHANGE(table)                                                                \
    static long change_##table(void *map, const __u32 *key, __u64 *value, struct state *state) { \
        __u32 other = 32 + (*key * 5 + state->other) % 32;                           \
        __u64 fresh = 1;                                                             \
        if (*key < 32) state->seen |= 1ULL << *key;                                  \
        if (state->what % 3 == 0) bpf_map_update_elem(&table, &other, &fresh, BPF_ANY); \
        if (state->what % 3 == 1) bpf_map_delete_elem(&table, &other);               \
        if (state->what % 3 == 2 && *key >= 32) {                                    \
            __u32 self = *key;                                                       \
            bpf_map_delete_elem(&table, &self);                                      \
        }                                                                            \
        return 0;                                                                    \
    }
CHANGE(hash)
CHANGE(hash_cpu)
CHANGE(lru)

static long stop_at(void *map, const __u32 *key, __u64 *value, struct state *state) {
    state->seen = state->seen * 7 + *key;
    *value += state->other;
    return *key == state->what;
}

// What came and went differs in which were there when the map was full, so all of it goes after a round.
static long forget(__u32 index, struct state *state) {
    __u32 key = 32 + index;
    bpf_map_delete_elem(&hash, &key);
    bpf_map_delete_elem(&hash_cpu, &key);
    bpf_map_delete_elem(&lru, &key);
    return 0;
}

SEC("unibpf/filter")
int rounds(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    struct state state = {.what = data[5], .other = data[6]};
    __u32 key = data[0] % 12;
    __u64 value = data[1], rounds = 0;
    if (data[2] % 3) {
        bpf_map_update_elem(&hash, &key, &value, 0);
        bpf_map_update_elem(&hash_cpu, &key, &value, 0);
        bpf_map_update_elem(&lru, &key, &value, 0);
    } else {
        bpf_map_delete_elem(&hash, &key);
        bpf_map_delete_elem(&hash_cpu, &key);
        bpf_map_delete_elem(&lru, &key);
    }
    switch (data[3] % 5) {
        case 0: bpf_for_each_map_elem(&hash, change_hash, &state, 0); break;
        case 1: bpf_for_each_map_elem(&hash_cpu, change_hash_cpu, &state, 0); break;
        case 2: bpf_for_each_map_elem(&lru, change_lru, &state, 0); break;
        case 3: rounds = bpf_for_each_map_elem(&array, stop_at, &state, data[4] % 4 == 0); break;
        case 4: rounds = bpf_for_each_map_elem(&array_cpu, stop_at, &state, data[4] % 4 == 0); break;
    }
    bpf_loop(32, forget, &state, 0);
    return (state.seen + rounds) % 4 + 1;
}

char _license[] SEC("license") = "GPL";
