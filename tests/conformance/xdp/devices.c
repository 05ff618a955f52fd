// Redirection: devices of an array and of a hash, missing ones, and flags.
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u32);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, struct bpf_devmap_val);
} sparse SEC(".maps");

__u64 digest;

SEC("unibpf/filter")
int devices(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u32 key = data[0] % 10;
    __u32 *port = bpf_map_lookup_elem(&ports, &key);
    struct bpf_devmap_val *other = bpf_map_lookup_elem(&sparse, &key);
    digest = digest * 31 + (port ? *port : 77) + (other ? other->ifindex : 99);
    switch (data[1] % 4) {
        case 0: return bpf_redirect_map(&ports, key, data[2] % 5);
        case 1: return bpf_redirect_map(&sparse, key, data[2] % 4);
        case 2: return bpf_redirect(data[3], data[4] % 3 == 0);
    }
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
