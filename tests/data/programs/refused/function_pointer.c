/* The address of a function goes to a helper. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

static long visit(void *map, __u32 *key, __u64 *value, void *context)
{
	return 0;
}

SEC("xdp") int callback(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&table, visit, 0, 0);
	return XDP_PASS;
}
