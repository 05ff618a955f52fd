/* 64 bytes of the packet, a word at a time, through FNV-1a's step, in a loop that stays one. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define WORDS 16

SEC("xdp") int hash(struct xdp_md *ctx)
{
	__u32 *data = (__u32 *)(long)ctx->data, *data_end = (__u32 *)(long)ctx->data_end;
	__u64 state = 0xCBF29CE484222325ull;

	if (data + WORDS > data_end)
		return XDP_DROP;
#pragma clang loop unroll(disable)
	for (int i = 0; i < WORDS; i++)
		state = (state ^ data[i]) * 0x100000001B3ull;
	return state & 1 ? XDP_PASS : XDP_TX;
}

char LICENSE[] SEC("license") = "Apache-2.0";
