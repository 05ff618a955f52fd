/* A program array that is filled at load time. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int target(struct xdp_md *ctx)
{
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jumps SEC(".maps") = {.values = {[0] = (void *)&target}};

SEC("unibpf/filter") int jumper(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return XDP_DROP;
}
