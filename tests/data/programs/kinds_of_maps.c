/* Map definitions that a loader completes, and a value with a lock. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct shared {
	__u64 total;
	struct bpf_spin_lock lock;
	__u32 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__uint(map_extra, 0);
	__type(key, __u32);
	__type(value, struct shared);
} locked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");

SEC("xdp") int kinds_of_maps(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct shared *found = bpf_map_lookup_elem(&locked, &key);
	__u32 *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (record) {
		*record = ctx->rx_queue_index;
		bpf_ringbuf_submit(record, 0);
	}
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &key, sizeof(key));
	if (!found)
		return XDP_PASS;
	bpf_spin_lock(&found->lock);
	found->total++;
	bpf_spin_unlock(&found->lock);
	return XDP_DROP;
}
