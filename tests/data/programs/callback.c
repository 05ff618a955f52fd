/* Functions whose addresses go to helpers: one that is global, one that is static. */
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
	volatile __u64 kept[4] = {*value};

	*(__u64 *)context += kept[0];
	return 0;
}

static long step(__u64 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

SEC("xdp") int callback(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(8, step, &sum, 0);
	bpf_for_each_map_elem(&table, visit, &sum, 0);
	return sum ? XDP_PASS : XDP_DROP;
}
