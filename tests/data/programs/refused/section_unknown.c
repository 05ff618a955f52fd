/* Programs of kinds that are not known here, beside one that is. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int good(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("freplace/xdp_pass") int replacement(struct xdp_md *ctx)
{
	return XDP_PASS;
}
