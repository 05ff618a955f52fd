/* A map of maps in the old form. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def_of_old {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def_of_old tables SEC("maps") = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};

SEC("xdp") int legacy(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&tables, &key) ? XDP_PASS : XDP_DROP;
}
