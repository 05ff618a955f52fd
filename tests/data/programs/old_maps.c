/* Map definitions of the old form, with what iproute2 has after the five numbers; nobody uses the map of maps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct definition {
	unsigned int type, key_size, value_size, max_entries, map_flags, id, pinning;
};

struct definition counters SEC("maps") = {BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0, 7, 2};
struct definition flows SEC("maps") = {BPF_MAP_TYPE_LRU_HASH, 8, 16, 64, BPF_F_NO_COMMON_LRU, 8, 2};
struct definition unused SEC("maps") = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, 9, 2};

SEC("xdp") int old_maps(struct xdp_md *ctx)
{
	__u64 flow = ctx->rx_queue_index;
	__u32 key = 0;

	if (bpf_map_lookup_elem(&flows, &flow))
		return XDP_DROP;
	return bpf_map_lookup_elem(&counters, &key) ? XDP_PASS : XDP_DROP;
}
