/* A map of maps that is given a map of another kind. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} narrow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner);
} tables SEC(".maps") = {.values = {[0] = (void *)&narrow}};

SEC("xdp") int unlike(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&tables, &key) ? XDP_PASS : XDP_DROP;
}
