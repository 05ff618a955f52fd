/* The shortest program: every packet passes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef SECTION
#define SECTION "xdp"
#endif

SEC(SECTION) int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
