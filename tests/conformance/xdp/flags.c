// Every flag of an update, known and unknown, for every type of map that programs write.
// BPF_F_LOCK among them, though no value has a lock: the oracle makes maps without BTF.
#include "common.h"

struct plain {
    __u64 number;
};
struct prefix {
    __u32 bits;
    __u8 address[4];
};

#define TABLE(table, kind, size, key_type, value_type, map_flag) \
    struct {                                                     \
        __uint(type, kind);                                      \
        __uint(max_entries, size);                               \
        __uint(map_flags, map_flag);                             \
        __type(key, key_type);                                   \
        __type(value, value_type);                               \
    } table SEC(".maps")

TABLE(array, BPF_MAP_TYPE_ARRAY, 6, __u32, struct plain, 0);
TABLE(array_cpu, BPF_MAP_TYPE_PERCPU_ARRAY, 6, __u32, struct plain, 0);
TABLE(hash, BPF_MAP_TYPE_HASH, 6, __u32, struct plain, 0);
TABLE(hash_cpu, BPF_MAP_TYPE_PERCPU_HASH, 6, __u32, struct plain, 0);
TABLE(lru, BPF_MAP_TYPE_LRU_HASH, 64, __u32, struct plain, 0);
TABLE(lru_cpu, BPF_MAP_TYPE_LRU_PERCPU_HASH, 64, __u32, struct plain, 0);
TABLE(trie, BPF_MAP_TYPE_LPM_TRIE, 6, struct prefix, struct plain, BPF_F_NO_PREALLOC);

__u64 digest;

#define USE(table, key, value, flags)                                                   \
    do {                                                                                \
        long done = 0;                                                                  \
        if (data[9] % 4 != 0) done = bpf_map_update_elem(&table, &key, &value, flags); \
        if (data[9] % 4 == 0) done = bpf_map_delete_elem(&table, &key);                  \
        digest = digest * 31 + done;                                                    \
    } while (0)

SEC("unibpf/filter")
int flags(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u32 key = data[0] % 8;
    struct prefix prefix = {.bits = data[0] % 40, .address = {data[1] % 4, data[2] % 4}};
    struct plain plain = {.number = data[3]};
    // Mostly what is known; also bits nobody knows, low and high.
    __u64 known = data[10] % 8;
    __u64 flag = data[11] % 8 == 0 ? 1ULL << data[12] % 64 | known : known;
    switch (data[13] % 7) {
        case 0: USE(array, key, plain, flag); break;
        case 1: USE(array_cpu, key, plain, flag); break;
        case 2: USE(hash, key, plain, flag); break;
        case 3: USE(hash_cpu, key, plain, flag); break;
        case 4: USE(lru, key, plain, flag); break;
        case 5: USE(lru_cpu, key, plain, flag); break;
        case 6: USE(trie, prefix, plain, flag); break;
    }
    return digest % 2 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
