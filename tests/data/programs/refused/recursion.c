/* Two functions call each other. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__noinline int odd(int a);

__noinline int even(int a)
{
	asm volatile("" : "+r"(a));
	return a ? odd(a - 1) + 1 : 0;
}

__noinline int odd(int a)
{
	asm volatile("" : "+r"(a));
	return a ? even(a - 1) + 1 : 1;
}

SEC("xdp") int recursive(struct xdp_md *ctx)
{
	return even(ctx->data) ? XDP_PASS : XDP_DROP;
}
