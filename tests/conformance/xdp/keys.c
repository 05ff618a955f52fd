// Hashes with keys of several sizes: what update, look-up and deletion answer, full or not, with every flag.
#include "common.h"

struct flow {
    __u32 from, to;
    __u16 ports[2];
    __u8 protocol;
} __attribute__((packed));
struct pair {
    __u64 first, second;
};

#define TABLE(table, size, key_type, value_type)  \
    struct {                                     \
        __uint(type, BPF_MAP_TYPE_HASH);         \
        __uint(max_entries, size);               \
        __type(key, key_type);                   \
        __type(value, value_type);               \
    } table SEC(".maps")

TABLE(bytes1, 10, __u8, __u8);
TABLE(words, 20, __u32, __u64);
TABLE(longs, 20, __u64, struct flow);
TABLE(pairs, 20, struct pair, __u32);
TABLE(flows, 20, struct flow, struct pair);

__u64 digest;

#define USE(table, key, value)                                                        \
    do {                                                                              \
        long done = 0;                                                                \
        if (data[9] % 3 == 0) done = bpf_map_update_elem(&table, &key, &value, data[10] % 4); \
        if (data[9] % 3 == 1) done = bpf_map_delete_elem(&table, &key);                \
        __u8 *found = bpf_map_lookup_elem(&table, &key);                              \
        digest = digest * 31 + done + (found ? *found + 1 : 0);                       \
    } while (0)

SEC("unibpf/filter")
int keys(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u8 byte = data[0] % 16;
    __u32 word = data[1] % 32 << data[2] % 8;
    __u64 number = (__u64)(data[3] % 32) << data[4] % 64;
    struct pair pair = {data[5] % 4, data[6] % 8};
    struct flow flow = {.to = data[7] % 6, .ports = {data[8] % 2, 0}, .protocol = data[11] % 3};
    USE(bytes1, byte, data[5]);
    USE(words, word, number);
    USE(longs, number, flow);
    USE(pairs, pair, word);
    USE(flows, flow, pair);
    return digest % 4 + 1;
}

char _license[] SEC("license") = "GPL";
