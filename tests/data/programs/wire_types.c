/* CO-RE relocations of types that every kernel lays out alike: vmlinux.h marks all that it has. */
typedef unsigned char __u8;
typedef unsigned short __u16, __be16, __sum16;
typedef unsigned int __u32, __be32, __wsum;
typedef unsigned long long __u64, __be64;
typedef signed long long __s64;
typedef int __s32;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct xdp_md {
	__u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};
struct ethhdr {
	__u8 h_dest[6], h_source[6];
	__be16 h_proto;
};
#pragma clang attribute pop
enum xdp_action { XDP_ABORTED, XDP_DROP, XDP_PASS };

#define SEC(name) __attribute__((section(name), used))

SEC("xdp") int wire_types(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	return ethernet->h_proto ? XDP_PASS : XDP_DROP;
}
