// Metadata before the packet, moved heads with metadata, and the packet by offset.
#include "common.h"

__u64 digest;

static __always_inline void add(__u64 value) { digest = digest * 31 + value; }

SEC("unibpf/rewriter")
int meta(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    __u8 seed[14];
    __builtin_memcpy(seed, data, 14);
    add(bpf_xdp_get_buff_len(ctx));
    add(bpf_xdp_adjust_meta(ctx, -(int)(seed[0] % 80)));
    add(ctx->data - ctx->data_meta);
    __u32 *mark = (void *)(long)ctx->data_meta;
    if ((void *)(mark + 1) <= (void *)(long)ctx->data) *mark = 0x01020304 * seed[1];
    add(bpf_xdp_adjust_head(ctx, (signed char)seed[2] % 16));
    add(ctx->data - ctx->data_meta);
    mark = (void *)(long)ctx->data_meta;
    if ((void *)(mark + 1) <= (void *)(long)ctx->data) add(*mark);
    add(bpf_xdp_adjust_meta(ctx, (seed[3] % 3 - 1) * 4));
    add(ctx->data - ctx->data_meta);
    __u8 window[16] = {};
    add(bpf_xdp_load_bytes(ctx, seed[4], window, (seed[5] & 15) + 1));
    if (seed[6] % 8 == 0) add(bpf_xdp_load_bytes(ctx, 0x10000 + seed[4], window, 4));
    add(bpf_xdp_store_bytes(ctx, seed[7], seed, (seed[8] & 7) + 1));
    // The test run hands out metadata as if it were the packet's beginning.
    bpf_xdp_adjust_meta(ctx, ctx->data - ctx->data_meta);
    data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    // New bytes at the head are indeterminate.
    __builtin_memcpy(data, seed, 14);
    if ((void *)(data + 16) <= END(ctx)) *(__u16 *)(data + 14) = 0;
    return digest % 4 + 1;
}

char _license[] SEC("license") = "GPL";
