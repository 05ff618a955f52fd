/* Map definitions of the old form. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def_of_old {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def_of_old counters SEC("maps") = {BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0};

SEC("xdp") int legacy(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&counters, &key) ? XDP_PASS : XDP_DROP;
}
