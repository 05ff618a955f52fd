/* Swaps nothing but marks: writes one byte of the packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("unibpf/rewriter") int rewriter(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;

	if (data + 1 > data_end)
		return XDP_DROP;
	*data = 0x42;
	return XDP_TX;
}
