/* Reads the Ethernet header after a bounds check. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;

	if ((void *)(ethernet + 1) > data_end)
		return XDP_DROP;
	return ethernet->h_proto == bpf_htons(ETH_P_IP) ? XDP_TX : XDP_PASS;
}
