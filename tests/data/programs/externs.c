/* Externs that a loader would look for: what is not there is 0, and so is never used. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_JIT __kconfig __weak;
extern unsigned int CONFIG_HZ __kconfig;
extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *stamp) __ksym __weak;

SEC("xdp") int version(struct xdp_md *ctx)
{
	return LINUX_KERNEL_VERSION >= 0x050800 && CONFIG_BPF_JIT ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int ticks(struct xdp_md *ctx)
{
	return CONFIG_HZ == 250 ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int stamped(struct xdp_md *ctx)
{
	__u64 stamp = 0;

	if (bpf_xdp_metadata_rx_timestamp && !bpf_xdp_metadata_rx_timestamp(ctx, &stamp))
		return stamp ? XDP_DROP : XDP_TX;
	return XDP_PASS;
}

SEC("xdp") int stamped_anyway(struct xdp_md *ctx)
{
	__u64 stamp = 0;

	return bpf_xdp_metadata_rx_timestamp(ctx, &stamp) ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
