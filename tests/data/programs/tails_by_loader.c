/* A program array of the old style: the loader fills it with programs of the object. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} jmp_table SEC(".maps");

SEC("xdp/first") int handler_a(struct xdp_md *ctx)
{
	return XDP_TX;
}

SEC("unibpf/classifier") int port(struct xdp_md *ctx)
{
	return 3;
}

SEC("xdp") int entry(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jmp_table, 0);
	return XDP_PASS;
}
