// Longest prefix match: prefixes of few bits come and go, keys of all lengths are looked up; the same with 16-byte keys.
#include "common.h"

struct key4 {
    __u32 bits;
    __u8 bytes[4];
};
struct key16 {
    __u32 bits;
    __u8 bytes[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, 40);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct key4);
    __type(value, __u64);
} short_prefixes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, 20);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct key16);
    __type(value, __u32);
} long_prefixes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} digest SEC(".maps");

static __always_inline void add(__u64 *sum, long result) { *sum = *sum * 31 + result; }

SEC("unibpf/filter")
int prefixes(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    __u32 zero = 0;
    __u64 *sum = bpf_map_lookup_elem(&digest, &zero);
    if ((void *)(data + 14) > END(ctx) || !sum) return XDP_ABORTED;
    struct key4 key = {data[0] % 34, {data[1] % 3, data[2] % 3 * 127, data[3], data[4]}};
    struct key16 wide = {data[0] % 130, {data[1] % 2, 0, 0, data[2] % 2, 0, 0, 0, data[3] % 2, data[4], data[5]}};
    __u64 value = data[5];
    __u32 short_value = data[6];
    switch (data[7] % 4) {
        case 0:
            add(sum, bpf_map_update_elem(&short_prefixes, &key, &value, data[8] % 4));
            add(sum, bpf_map_update_elem(&long_prefixes, &wide, &short_value, data[8] % 3));
            break;
        case 1:
            add(sum, bpf_map_delete_elem(&short_prefixes, &key));
            add(sum, bpf_map_delete_elem(&long_prefixes, &wide));
            break;
    }
    key.bits = data[9] % 34;
    wide.bits = 128;
    __u64 *found = bpf_map_lookup_elem(&short_prefixes, &key);
    __u32 *wide_found = bpf_map_lookup_elem(&long_prefixes, &wide);
    add(sum, found ? *found : -1);
    add(sum, wide_found ? *wide_found : -1);
    return *sum % 4 + 1;
}

char _license[] SEC("license") = "GPL";
