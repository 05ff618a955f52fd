/* A map of maps whose maps are maps of the object. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps"), unused SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} tables SEC(".maps") = {.values = {[1] = &second, [3] = &first}};

SEC("xdp") int outer(struct xdp_md *ctx)
{
	__u32 key = ctx->rx_queue_index;
	void *table = bpf_map_lookup_elem(&tables, &key);

	return table && bpf_map_lookup_elem(table, &key) ? XDP_PASS : XDP_DROP;
}
