/* A variable that somebody else defines. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int elsewhere;

SEC("xdp") int external(struct xdp_md *ctx)
{
	return elsewhere ? XDP_PASS : XDP_DROP;
}
