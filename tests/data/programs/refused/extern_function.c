/* A function that somebody else defines. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int elsewhere(int);

SEC("xdp") int external(struct xdp_md *ctx)
{
	return elsewhere(1) ? XDP_PASS : XDP_DROP;
}
