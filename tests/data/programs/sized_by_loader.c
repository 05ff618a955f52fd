/* Maps whose sizes, and whose inner maps, only a loader says. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} tables SEC(".maps");

SEC("xdp") int sized(struct xdp_md *ctx)
{
	__u32 key = 3;
	__u64 one = 1, *value;
	void *table;

	bpf_map_update_elem(&flows, &key, &one, BPF_ANY);
	bpf_ringbuf_output(&events, &one, sizeof(one), 0);
	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	key = 1;
	value = bpf_map_lookup_elem(table, &key);
	if (!value)
		return XDP_ABORTED;
	return ++*value == 1 ? XDP_TX : XDP_PASS;
}
