/* Two programs in one section, a third in another. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int first(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("unibpf/filter") int third(struct xdp_md *ctx)
{
	return XDP_PASS;
}
