/* Reads the Ethernet header without a bounds check. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int unsafe_parse(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	return ethernet->h_proto ? XDP_PASS : XDP_DROP;
}
