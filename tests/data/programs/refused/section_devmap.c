/* The XDP hook of a device map sees another context. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp/devmap") int hook(struct xdp_md *ctx)
{
	return XDP_PASS;
}
