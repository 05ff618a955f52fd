/* A map of maps that leaves to its loader what its maps are. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} tables SEC(".maps");

SEC("xdp") int unknown(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&tables, &key) ? XDP_PASS : XDP_DROP;
}
