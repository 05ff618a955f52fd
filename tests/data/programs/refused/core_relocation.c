/* The place of a field depends on the running kernel: a flavour is a part of what some kernel has. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct device___of_old {
	int index;
	int mtu;
} __attribute__((preserve_access_index));

SEC("xdp") int relocated(struct xdp_md *ctx)
{
	struct device___of_old *device = (void *)(long)ctx->data;

	return device->mtu ? XDP_PASS : XDP_DROP;
}
