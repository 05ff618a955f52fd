/* A map definition with a word that nobody knows. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(colour, 3);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

SEC("xdp") int misspelt(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&table, &key) ? XDP_PASS : XDP_DROP;
}
