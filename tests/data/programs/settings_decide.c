/* Whether it is safe depends on what a loader sets: what constants rule out is not looked at. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile bool unchecked = false;
const volatile __u32 at = 0;
const volatile struct {
	__u8 verdict;
	__u8 checked;
} cfg = {XDP_PASS, 1};

SEC("xdp") int settings_decide(struct xdp_md *ctx)
{
	const char *data = (void *)(long)ctx->data;
	volatile char bytes[16] = {0};

	if (unchecked)
		return data[0];
	if (cfg.checked && data + 64 > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	bytes[at] = data[20];
	return bytes[at] == 1 ? XDP_DROP : cfg.verdict;
}
