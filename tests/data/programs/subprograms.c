/* Calls that the linker has to resolve: global and static functions of .text, a static one of the program's section. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __noinline int leaf(int a)
{
	volatile char frame[40];

	frame[0] = a;
	return frame[0] * 3;
}

static __noinline int middle(int a, int *b)
{
	*b += leaf(a);
	return *b + leaf(a + 1);
}

__noinline int global(int a)
{
	return a > 3 ? leaf(a) : a * 7;
}

SEC("xdp") static __noinline int beside(int a)
{
	return a * 11 + global(a);
}

__noinline int never_called(int a)
{
	return a + 1;
}

SEC("xdp") int subprograms(struct xdp_md *ctx)
{
	int k = ctx->data_end - ctx->data;

	return middle(k, &k) + global(k) + beside(k) + 1 ? XDP_PASS : XDP_DROP;
}
