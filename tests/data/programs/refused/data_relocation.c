/* A variable holds the address of another. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int value = 3;
int *volatile pointer = &value;

SEC("xdp") int indirect(struct xdp_md *ctx)
{
	return *pointer ? XDP_PASS : XDP_DROP;
}
