/* A function is called through its address. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp") int indirect_call(struct xdp_md *ctx)
{
	int (*volatile chosen)(struct xdp_md *) = pass;

	return chosen(ctx);
}
