/* A bounded loop that stays a loop. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int loops(struct xdp_md *ctx)
{
	__u32 sum = 0;

	_Pragma("nounroll") for (__u32 i = 0; i < 100; i++) {
		sum = sum * 31 + i;
		asm volatile("" : "+r"(sum));
	}
	return sum == 1 ? XDP_DROP : XDP_PASS;
}
