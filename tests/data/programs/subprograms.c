/* Calls that the linker has to resolve: global and static functions of .text, a static one of the program's section.
 *
 * A packet of 64 bytes passes: leaf(64) = 192, so k = 256; leaf(65) = 195, so sum = 451; global(320) = leaf(64) = 192;
 * beside(257) = 2827 + leaf(1) = 2830. */
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
	long length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	asm volatile("" : "+r"(length)); /* or clang subtracts halves of pointers */
	int k = length;

	int sum = middle(k, &k);
	return sum * 1000 + global(k + 64) + beside(k + 1) == 454022 ? XDP_PASS : XDP_DROP;
}
