/* Nine frames, one inside the other. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define LEVEL(n, next)                                                                                          \
	__noinline int level##n(int a)                                                                          \
	{                                                                                                       \
		asm volatile("" : "+r"(a));                                                                     \
		return next + 1;                                                                                \
	}

LEVEL(8, a)
LEVEL(7, level8(a))
LEVEL(6, level7(a))
LEVEL(5, level6(a))
LEVEL(4, level5(a))
LEVEL(3, level4(a))
LEVEL(2, level3(a))
LEVEL(1, level2(a))

SEC("xdp") int deep(struct xdp_md *ctx)
{
	return level1(ctx->data) ? XDP_PASS : XDP_DROP;
}
