/* Static inline functions and an unrolled loop: one function in the object, lines of three. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u32 fold(__u32 sum, __u32 part)
{
	return (sum ^ part) * 31;
}

SEC("xdp") int inlined(struct xdp_md *ctx)
{
	__u32 sum = ctx->ingress_ifindex;

	_Pragma("unroll") for (int i = 0; i < 4; i++)
		sum = fold(sum, ctx->rx_queue_index + i);
	return sum > 1000 ? XDP_PASS : XDP_DROP;
}
