/* A subprogram makes a tail call to a program that calls it: each round would add a frame. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int round(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jumps SEC(".maps") = {.values = {[0] = (void *)&round}};

static __attribute__((noinline)) int again(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return XDP_DROP;
}

int round(struct xdp_md *ctx)
{
	return again(ctx) + 1;
}
