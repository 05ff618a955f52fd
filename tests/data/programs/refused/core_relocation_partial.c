/* A header of which the object has a part only: a loader would move the field to its place. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct iphdr {
	__u8 ttl;
} __attribute__((preserve_access_index));

SEC("xdp") int partial(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	return ip->ttl ? XDP_PASS : XDP_DROP;
}
