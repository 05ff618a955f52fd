/* Constants, initialised and zeroed variables, a static one, and a string. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 limit = 7;
__u32 first = 0x11223344;
static volatile __u16 second = 0x5566;
__u64 total;

SEC("xdp") int globals(struct xdp_md *ctx)
{
	static const char format[] = "seen %d";

	total += first + second;
	bpf_trace_printk(format, sizeof(format), 1);
	return total > limit ? XDP_DROP : XDP_PASS;
}
