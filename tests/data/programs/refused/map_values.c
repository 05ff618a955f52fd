/* A program array with a program of another kind. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("unibpf/classifier") int port(struct xdp_md *ctx)
{
	return 3;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jumps SEC(".maps") = {.values = {[0] = (void *)&port}};

SEC("xdp") int jumper(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return XDP_DROP;
}
